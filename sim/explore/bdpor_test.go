package explore_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/sim"
	"dmasim/sim/explore"
)

func preemptions(n int) explore.Coverage {
	return explore.Coverage{Bound: explore.Preemptions, N: n}
}

// testingT is what rapid.T and testing.T have in common.
type testingT interface {
	require.TestingT
	Fatalf(format string, args ...any)
}

// withinBound compares bounded DPOR with depth-first search within the same bound. Both
// have to find the same traces, deadlocks and states: none may be missing, and what
// bounded DPOR runs is within the bound, too. It returns both numbers of executions, or
// zeroes if there are too many schedules.
func withinBound(t testingT, p program, n, limit int, name any) (runs, all int) {
	want := enumerate(explore.NewDFS(preemptions(n)), p, limit)
	if !want.exhausted {
		return 0, 0
	}
	d := explore.NewBoundedDPOR(n)
	got := enumerate(d, p, limit+1)
	if !got.exhausted {
		t.Fatalf("%v: not exhausted", name)
	}
	if miss := len(want.traces) - len(got.traces); miss > 0 {
		t.Fatalf("%v, %d preemptions: %d of %d traces are missing", name, n, miss, len(want.traces))
	}
	require.Equal(t, keys(want.traces), keys(got.traces), "%v, %d preemptions", name, n)
	require.Equal(t, want.states, got.states, "%v, %d preemptions", name, n)
	require.Equal(t, want.deadlocks, got.deadlocks, "%v, %d preemptions", name, n)
	require.LessOrEqual(t, got.executions, want.executions, "%v, %d preemptions", name, n)
	require.Zero(t, got.failures[sim.Nondeterminism], "%v", name)
	if c := d.Covered(); c != preemptions(n) {
		require.Equal(t, explore.Coverage{Bound: explore.All}, c)
		full := enumerate(explore.NewDFS(explore.Coverage{Bound: explore.All}), p, limit)
		if full.exhausted {
			require.Equal(t, keys(full.traces), keys(got.traces), "%v: not all was covered", name)
		}
	}
	return got.executions, want.executions
}

const enough = 1000 // preemptions

// TestBoundedDPORReference takes the reference programs that are small enough.
func TestBoundedDPORReference(t *testing.T) {
	var runs, all [4]int
	for _, ref := range references() {
		for n := range 3 {
			a, b := withinBound(t, ref.p, n, 400, ref.name)
			runs[n] += a
			all[n] += b
		}
		if ref.raw {
			a, b := withinBound(t, ref.p, enough, 3000, ref.name)
			runs[3] += a
			all[3] += b
		}
	}
	for i, bound := range []any{0, 1, 2, "any number of"} {
		t.Logf("%v preemptions: %d executions instead of %d", bound, runs[i], all[i])
	}
}

// TestBoundedDPORAgainstBruteForce does the same with random programs.
func TestBoundedDPORAgainstBruteForce(t *testing.T) {
	for name, verbs := range verbSets {
		t.Run(name, func(t *testing.T) {
			var runs, all [4]int
			rapid.Check(t, func(r *rapid.T) {
				text, p := randomProgram(r, strings.Fields(verbs))
				for i, n := range []int{0, 1, 2, enough} {
					a, b := withinBound(r, p, n, 1000, text)
					runs[i] += a
					all[i] += b
				}
			})
			t.Logf("executions %v instead of %v", runs, all)
		})
	}
}

// TestBoundedDPORSaves pins down what the reduction is for: fewer runs than depth-first
// search needs within 0, 1 and 2 preemptions.
func TestBoundedDPORSaves(t *testing.T) {
	for _, c := range []struct {
		name string
		p    program
		most [3]int
	}{
		{"indep-3x3", indepNK(3, 3), [3]int{1, 1, 1}},
		{"filesystem-2", filesystem(2), [3]int{1, 1, 1}},
		{"indexer-2", indexer(2), [3]int{1, 1, 1}},
		{"sb-4", sb(4), [3]int{20, 168, 832}},
		{"lock-3x2", lockNK(3, 2), [3]int{6, 90, 408}},
		{"ring-3x4", ringNP(3, 4), [3]int{6, 75, 537}},
		{"philosophers-3", philosophers(3), [3]int{6, 57, 234}},
		{"lastzero-3", lastZero(3), [3]int{20, 123, 447}},
	} {
		line := ""
		for n := range 3 {
			runs, all := withinBound(t, c.p, n, 10_000, c.name)
			line += fmt.Sprintf(", %d of %d", runs, all)
			require.LessOrEqual(t, runs, c.most[n], "%s, %d preemptions", c.name, n)
		}
		t.Log(c.name + line)
	}
}

// TestBoundedDPORTimers has what the random programs have not: timers of all kinds that
// fire, and that are cancelled, and waiting for the end of a task.
func TestBoundedDPORTimers(t *testing.T) {
	for _, mode := range []sim.TimerMode{sim.Quiet, sim.Racing} {
		p := tasks(2, 0, 2, func(t *sim.Task, i int, v []*variable, _ []*mutex) {
			if i == 0 {
				tm := t.After(10, mode, "timer", func(t *sim.Task) { v[0].add(t, 5) })
				t.After(20, sim.Quiet, "late", func(t *sim.Task) { v[1].store(t, v[0].load(t)) })
				if v[0].load(t) == 0 {
					tm.Cancel(t)
				}
				return
			}
			c := t.Spawn("child", sim.Op{Verb: "add", Obj: &v[0].Object}, func(t *sim.Task) {
				v[0].v++
				v[1].add(t, 1)
			})
			v[1].store(t, 7)
			t.Join(c)
			v[0].load(t)
		})
		for _, n := range []int{0, 1, 2, 3, enough} {
			runs, all := withinBound(t, p, n, 100_000, mode)
			t.Logf("mode %d, %d preemptions: %d executions instead of %d", mode, n, runs, all)
			require.NotZero(t, runs)
		}
	}
}

// TestBoundedDPORJoin has a switch that is no preemption only as long as another task has
// not ended, though its end touches nothing: the waiter is to be interrupted by a writer
// where it waits.
func TestBoundedDPORJoin(t *testing.T) {
	p := func(t *sim.Task, out *string) {
		v := newVariable(t, "v")
		order := ""
		write := func(t *sim.Task, name string) { v.store(t, 1); order += name }
		ends := t.Spawn("ends", sim.Op{Verb: "step"}, func(*sim.Task) {})
		t.Go("waits", func(t *sim.Task) {
			write(t, "a")
			t.Join(ends)
			write(t, "b")
		})
		t.Go("writes", func(t *sim.Task) { write(t, "x") })
		t.Explore()
		*out = order
	}
	withinBound(t, p, 0, 1000, "join")
	require.Contains(t, enumerate(explore.NewBoundedDPOR(0), p, 1000).states, "axb")
}

func TestBoundedDPORFindsWithinBound(t *testing.T) {
	rep := explore.Run(context.Background(), lostUpdate(3), explore.NewBoundedDPOR(0), explore.Options{})
	require.Nil(t, rep.Found)
	require.True(t, rep.Exhausted)
	require.Equal(t, preemptions(0), rep.Coverage)
	rep = explore.Run(context.Background(), lostUpdate(3), explore.NewBoundedDPOR(1), explore.Options{MinimizeRuns: -1})
	require.NotNil(t, rep.Found)
	defer rep.Found.Machine.Close()
	require.Equal(t, 1, rep.Found.Schedule.Preemptions())
	require.Equal(t, explore.Coverage{}, rep.Coverage)
}

func TestBoundedDPORRestarts(t *testing.T) {
	d := explore.NewBoundedDPOR(2)
	first := enumerate(d, sb(3), 10_000)
	d.Restart()
	require.Equal(t, first, enumerate(d, sb(3), 10_000))
	// In the middle of one program it notices that it was given another.
	d.Restart()
	enumerate(d, sb(3), 5)
	got := enumerate(d, sb(2), 10_000)
	require.Equal(t, map[sim.Kind]int{sim.Nondeterminism: 1}, got.failures)
}
