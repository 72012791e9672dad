package explore_test

import (
	"context"
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

// A timer that either fires or is cancelled has an object that in no run two tasks touch; it
// is not private all the same.
func TestCancelledTimerIsNotPrivate(t *testing.T) {
	body := func(t *sim.Task) {
		v := newVariable(t, "v")
		t.Go("task", func(t *sim.Task) {
			tm := t.After(10, sim.Racing, "timer", func(t *sim.Task) { t.Fail("bug", "it fires") })
			v.load(t)
			tm.Cancel(t)
		})
		t.Explore()
	}
	r := explore.Run(context.Background(), body, explore.NewDPOR(), explore.Options{})
	require.NotNil(t, r.Found)
	defer r.Found.Machine.Close()
	require.EqualValues(t, "bug", r.Found.Failure.Kind)
}

// What waited when a timer fired could have gone first, if another task had not.
func TestDPORWaitsOverTimer(t *testing.T) {
	for _, order := range []string{"ab", "ba"} {
		p := func(t *sim.Task, state *string) {
			l, v := newMutex(t, "l"), newVariable(t, "v")
			tasks := map[rune]func(*sim.Task){
				'a': func(t *sim.Task) {
					l.lock(t)
					t.After(10, sim.Quiet, "timer", func(t *sim.Task) { v.store(t, 1) })
					t.Step(sim.Op{Verb: "sleep", Obj: &v.Object, Guard: equal{v, 1}})
					l.unlock(t)
				},
				'b': func(t *sim.Task) { l.lock(t); l.unlock(t) },
			}
			for _, name := range order {
				t.Go(string(name), tasks[name])
			}
			t.Explore()
		}
		brute := enumerate(explore.NewDFS(explore.Coverage{Bound: explore.All}), p, 10_000)
		dpor := enumerate(explore.NewDPOR(), p, 10_000)
		require.Len(t, brute.traces, 2)
		require.Len(t, dpor.traces, 2)
	}
}
