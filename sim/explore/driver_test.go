package explore_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// race is a program in which one of three tasks finds an even number of increments
// between two of its own steps only in rare schedules.
func race(t *sim.Task) {
	x := newVariable(t, "x")
	for range 2 {
		t.Go("adder", func(t *sim.Task) {
			for range 6 {
				x.add(t, 1)
			}
		})
	}
	t.Go("reader", func(t *sim.Task) {
		if a, b := x.load(t), x.load(t); a == 3 && b == 9 {
			t.Fail("bug", "3 and then 9")
		}
	})
	t.Explore()
}

// TestWorkersDoNotMatter samples with one worker and with several: the first failure, and
// the traces seen, are the same.
func TestWorkersDoNotMatter(t *testing.T) {
	for name, mk := range map[string]func() explore.Strategy{
		"random": func() explore.Strategy { return explore.NewRandom(5) },
		"pos":    func() explore.Strategy { return explore.NewPOS(5) },
	} {
		t.Run(name, func(t *testing.T) {
			var want *explore.Report
			for _, workers := range []int{1, 2, 3, 5} {
				r := explore.Run(context.Background(), race, mk(), explore.Options{Executions: 50_000, Workers: workers})
				require.NotNil(t, r.Found)
				r.Found.Machine.Close()
				if want == nil {
					want = r
				}
				require.Equal(t, want.Found.Execution, r.Found.Execution, "%d workers", workers)
				require.Equal(t, want.Found.Hash, r.Found.Hash)
				require.Equal(t, want.Found.Schedule.String(), r.Found.Schedule.String())
			}
			calm := func(t *sim.Task) {
				x := newVariable(t, "x")
				for range 3 {
					t.Go("adder", func(t *sim.Task) { x.add(t, 1); x.load(t) })
				}
				t.Explore()
			}
			var counts []int
			for _, workers := range []int{1, 2, 3} {
				r := explore.Run(context.Background(), calm, mk(), explore.Options{Executions: 1_000, Workers: workers, CountTraces: true})
				require.Nil(t, r.Found)
				require.Equal(t, 1_000, r.Executions)
				require.Equal(t, "executions", r.Ended)
				counts = append(counts, r.Traces)
			}
			require.Equal(t, []int{counts[0], counts[0], counts[0]}, counts)
		})
	}
}

// TestWhyItEnded names every reason.
func TestWhyItEnded(t *testing.T) {
	run := func(ctx context.Context, s explore.Strategy, o explore.Options) *explore.Report {
		r := explore.Run(ctx, func(t *sim.Task) {
			x := newVariable(t, "x")
			for range 2 {
				t.Go("adder", func(t *sim.Task) { x.add(t, 1) })
			}
			t.Explore()
		}, s, o)
		require.Nil(t, r.Found)
		return r
	}
	ctx := context.Background()
	require.Equal(t, "nothing left", run(ctx, explore.NewDPOR(), explore.Options{}).Ended)
	require.Equal(t, "executions", run(ctx, explore.NewRandom(1), explore.Options{Executions: 10}).Ended)
	require.Equal(t, "time", run(ctx, explore.NewRandom(1), explore.Options{Time: time.Millisecond}).Ended)
	over, cancel := context.WithCancel(ctx)
	cancel()
	require.Equal(t, "interrupted", run(over, explore.NewRandom(1), explore.Options{}).Ended)
	r := run(ctx, explore.NewRandom(1), explore.Options{Executions: 400, CountTraces: true})
	require.Equal(t, 2, r.Traces)
	require.Zero(t, r.Unseen)
	require.Contains(t, run(ctx, explore.NewPCT(1, 2), explore.Options{Executions: 10}).Promise, "n=2 tasks")
}

// TestTwice finds a program that depends on something outside the machine.
func TestTwice(t *testing.T) {
	n := 0
	body := func(t *sim.Task) {
		x := newVariable(t, "x")
		n++
		odd := n%2 == 1
		for range 2 {
			t.Go("adder", func(t *sim.Task) {
				x.add(t, 1)
				if odd {
					x.load(t)
				}
			})
		}
		t.Explore()
	}
	w := &explore.Twice{Strategy: explore.NewRandom(1)}
	explore.Run(context.Background(), body, w, explore.Options{Executions: 100, ShowAll: true})
	require.NotNil(t, w.Differs)
	require.Equal(t, sim.Nondeterminism, w.Differs.Kind)
	require.Contains(t, w.Differs.Message, "they part at event")

	w = &explore.Twice{Strategy: explore.NewDFS(explore.Coverage{Bound: explore.All})}
	r := explore.Run(context.Background(), race3, w, explore.Options{})
	require.Nil(t, w.Differs)
	require.True(t, r.Exhausted)
	require.Equal(t, explore.All, r.Coverage.Bound)
}

func race3(t *sim.Task) {
	x := newVariable(t, "x")
	for range 3 {
		t.Go("adder", func(t *sim.Task) { x.add(t, 1); x.load(t) })
	}
	t.Explore()
}

// TestDecoratorsCompose puts all decorators around one strategy: none changes what it
// does.
func TestDecoratorsCompose(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	hashes := func(s explore.Strategy) (out []uint64) {
		for more := true; more; {
			r := m.Run(s, race3)
			out = append(out, r.Hash)
			more = s.Done(r)
		}
		return out
	}
	plain := hashes(explore.NewDFS(explore.Coverage{Bound: explore.Delays, N: 2}))
	rec := &explore.Recorded{Strategy: explore.NewDFS(explore.Coverage{Bound: explore.Delays, N: 2}), Keep: 5}
	count := &explore.Counted{Strategy: rec}
	require.Equal(t, plain, hashes(count))
	require.Equal(t, len(plain), count.Executions)
	require.Len(t, rec.Schedules, 5)
	last := m.Run(explore.NewReplay(rec.Schedules[4]), race3)
	require.Equal(t, plain[len(plain)-1], last.Hash)

	twice := &explore.Twice{Strategy: &explore.Counted{Strategy: explore.NewDFS(explore.Coverage{Bound: explore.Delays, N: 2})}}
	doubled := hashes(twice)
	require.Len(t, doubled, 2*len(plain))
	require.Nil(t, twice.Differs)
}
