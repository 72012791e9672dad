package explore_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// A failure that is minor does not end the exploration: what is worse is found, wherever it is,
// and without it the first minor one is shown.
func TestMinorFailures(t *testing.T) {
	body := func(worse bool) func(*sim.Task) {
		return func(t *sim.Task) {
			var o sim.Object
			first := ""
			t.Own(&o, "thing", "thing")
			for _, name := range []string{"a", "b"} {
				t.Go(name, func(t *sim.Task) {
					t.Step(sim.Op{Verb: "step", Obj: &o})
					if first == "" {
						first = name
						t.FlagMinor("rule", nil, "broken")
					}
					if worse && first == "b" {
						t.Fail("bad", "b was first")
					}
				})
			}
			t.Explore()
		}
	}
	run := func(s explore.Strategy, opt explore.Options, worse bool) *explore.Report {
		r := explore.Run(context.Background(), body(worse), s, opt)
		require.NotNil(t, r.Found)
		t.Cleanup(r.Found.Machine.Close)
		return r
	}
	r := run(explore.NewDPOR(), explore.Options{}, true)
	require.EqualValues(t, "bad", r.Found.Failure.Kind)
	r = run(explore.NewDPOR(), explore.Options{}, false)
	require.EqualValues(t, "rule", r.Found.Failure.Kind)
	require.True(t, r.Found.Failure.Minor)
	require.Equal(t, 1, r.Found.Execution)
	require.True(t, r.Exhausted)
	require.Equal(t, explore.All, r.Coverage.Bound)
	r = run(explore.NewDFS(explore.Coverage{Bound: explore.All}), explore.Options{First: true}, true)
	require.EqualValues(t, "rule", r.Found.Failure.Kind)
	for _, workers := range []int{1, 2} {
		r = run(explore.NewRandom(1), explore.Options{Executions: 20, Workers: workers}, false)
		require.Equal(t, 1, r.Found.Execution)
		require.Equal(t, 20, r.Executions)
	}
}

// A prediction from a run of which hidden objects took events away is none where the run with all of
// them does not bear it out.
func TestMinorFailureOfHiddenObjects(t *testing.T) {
	for _, few := range []int{5, 100} {
		r := explore.Run(context.Background(), func(t *sim.Task) {
			var shared, private sim.Object
			t.Own(&shared, "thing", "shared")
			t.Own(&private, "thing", "private")
			for _, name := range []string{"a", "b"} {
				t.Go(name, func(t *sim.Task) {
					t.Step(sim.Op{Verb: "step", Obj: &shared})
					for range 20 {
						if name == "a" {
							t.Step(sim.Op{Verb: "step", Obj: &private})
						}
					}
				})
			}
			t.Explore()
			if len(t.Machine().Events()) < few+5 {
				t.FlagMinor("rule", nil, "few events")
			}
		}, explore.NewRandom(1), explore.Options{Executions: 50})
		require.Equal(t, few == 100, r.Found != nil)
		if r.Found != nil {
			require.EqualValues(t, "rule", r.Found.Failure.Kind)
			r.Found.Machine.Close()
		}
	}
}
