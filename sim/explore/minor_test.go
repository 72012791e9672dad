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
