package scenarios_test

import (
	"testing"

	"dmasim/scenarios"
	"dmasim/sim"
	"dmasim/sim/explore"
)

// BenchmarkPublishAfterUnlock exhausts the scenario on the repaired design, depth first
// with at most two delays.
func BenchmarkPublishAfterUnlock(b *testing.B) {
	c := benchCase(b, "publish-after-unlock", "rfc-v2-repaired")
	bound := explore.Coverage{Bound: explore.Delays, N: 2}
	runs, longest := 0, 0
	for b.Loop() {
		r := explore.Run(b.Context(), c.Program(), explore.NewDFS(bound), explore.Options{})
		if r.Found != nil || !r.Exhausted {
			b.Fatal("the bound was not exhausted, or something was found")
		}
		runs, longest = r.Executions, r.Longest
	}
	b.ReportMetric(float64(runs), "executions")
	b.ReportMetric(float64(longest), "steps/run")
}

// BenchmarkRandomWalk runs the same scenario under a random walk: the figure is what
// the whole path costs, set-up and tear-down included.
func BenchmarkRandomWalk(b *testing.B) {
	c := benchCase(b, "publish-after-unlock", "rfc-v2-repaired")
	m := sim.NewMachine()
	defer m.Close()
	s := explore.NewRandom(1)
	steps := 0
	for b.Loop() {
		r := m.Run(s, c.Program())
		if r.Failure != nil {
			b.Fatal(r.Failure)
		}
		steps += r.Steps
		s.Done(r)
	}
	b.ReportMetric(float64(steps)/b.Elapsed().Seconds()/1e6, "Msteps/s")
}

func benchCase(b testing.TB, scenario, design string) scenarios.Case {
	s, err := scenarios.Find(scenario)
	if err != nil {
		b.Fatal(err)
	}
	d, err := scenarios.FindDesign(design)
	if err != nil {
		b.Fatal(err)
	}
	c, err := scenarios.NewCase(s, d, 0)
	if err != nil {
		b.Fatal(err)
	}
	return c
}
