package explore_test

import (
	"strconv"
	"testing"

	"dmasim/sim"
	"dmasim/sim/explore"
)

func BenchmarkRandomRing3x6(b *testing.B) {
	m := sim.NewMachine()
	defer m.Close()
	s := explore.NewRandom(1)
	p := ringNP(3, 6)
	body := func(t *sim.Task) { p(t, nil) }
	steps := 0
	for b.Loop() {
		r := m.Run(s, body)
		steps += r.Steps
		s.Done(r)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "executions/s")
	b.ReportMetric(float64(steps)/b.Elapsed().Seconds()/1e6, "Msteps/s")
}

// exhaust runs a program to the end of the search once per iteration.
func exhaust(b *testing.B, p program) {
	m := sim.NewMachine()
	defer m.Close()
	body := func(t *sim.Task) { p(t, nil) }
	executions, blocked, steps := 0, 0, 0
	for b.Loop() {
		d := explore.NewDPOR()
		for more := true; more; {
			r := m.Run(d, body)
			steps += r.Steps
			if !r.Abandoned {
				executions++
			}
			more = d.Done(r)
		}
		blocked += d.Blocked()
	}
	n := float64(b.N)
	b.ReportMetric(float64(executions)/n, "executions")
	b.ReportMetric(float64(blocked)/n, "blocked")
	b.ReportMetric(float64(executions)/b.Elapsed().Seconds(), "executions/s")
	b.ReportMetric(float64(steps)/b.Elapsed().Seconds()/1e6, "Msteps/s")
}

func BenchmarkDPORLock3x3(b *testing.B) { exhaust(b, lockNK(3, 3)) }
func BenchmarkDPORRing3x6(b *testing.B) { exhaust(b, ringNP(3, 6)) }

// BenchmarkWorkers samples ring-3x6 with one worker and with two. The figure to compare
// is executions per second.
func BenchmarkWorkers(b *testing.B) {
	for _, workers := range []int{1, 2} {
		b.Run(strconv.Itoa(workers), func(b *testing.B) {
			executions := 0
			for b.Loop() {
				r := explore.Run(b.Context(), bare(ringNP(3, 6)), explore.NewRandom(1), explore.Options{Executions: 200_000, Workers: workers, ShowAll: true})
				executions += r.Executions
			}
			b.ReportMetric(float64(executions)/b.Elapsed().Seconds(), "executions/s")
		})
	}
}

// bare is a program of the tests whose final state nobody wants.
func bare(p program) func(*sim.Task) {
	return func(t *sim.Task) {
		p(t, nil)
	}
}
