package explore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// TestDPORCancelledTimer has a racing timer that may fire before it is cancelled, or
// not: both are traces, also if the first run is one in which it is cancelled.
func TestDPORCancelledTimer(t *testing.T) {
	p := func(t *sim.Task, state *string) {
		v := newVariable(t, "v")
		t.Go("task", func(t *sim.Task) {
			tm := t.After(10, sim.Racing, "timer", func(t *sim.Task) { v.add(t, 1) })
			v.load(t)
			tm.Cancel(t)
			v.load(t)
		})
		t.Go("other", func(t *sim.Task) { v.load(t) })
		t.Explore()
	}
	brute := enumerate(explore.NewDFS(explore.Coverage{Bound: explore.All}), p, 10_000)
	dpor := enumerate(explore.NewDPOR(), p, 10_000)
	require.True(t, brute.exhausted)
	require.Greater(t, len(brute.traces), 2)
	for h := range brute.traces {
		require.Contains(t, dpor.traces, h)
	}
	require.Len(t, dpor.traces, len(brute.traces))
}
