package explore_test

import (
	"fmt"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// allTosses goes through every sequence of tosses, and keeps the probability of
// the present one.
type allTosses struct {
	path  []struct{ n, v int }
	depth int
	p     *big.Rat
}

func (a *allTosses) Below(n int) int {
	if a.depth == len(a.path) {
		a.path = append(a.path, struct{ n, v int }{n, 0})
	}
	c := a.path[a.depth]
	if c.n != n {
		panic("the tosses depend on something else than the tosses")
	}
	a.depth++
	a.p.Mul(a.p, big.NewRat(1, int64(n)))
	return c.v
}

func (a *allTosses) next() bool {
	a.path = a.path[:a.depth]
	a.depth, a.p = 0, big.NewRat(1, 1)
	for len(a.path) > 0 {
		last := &a.path[len(a.path)-1]
		if last.v++; last.v < last.n {
			return true
		}
		a.path = a.path[:len(a.path)-1]
	}
	return false
}

// found is the exact probability that one run of PCT fails.
func found(t *testing.T, d, k int, body func(*sim.Task)) (p *big.Rat, runs int) {
	m := sim.NewMachine()
	defer m.Close()
	tosses := &allTosses{p: big.NewRat(1, 1)}
	s := explore.NewPCTFixed(d, k, tosses)
	total, sum := new(big.Rat), new(big.Rat)
	for more := true; more; more = tosses.next() {
		r := m.Run(s, body)
		require.Equal(t, k, r.Steps)
		total.Add(total, tosses.p)
		if r.Failure != nil {
			sum.Add(sum, tosses.p)
		}
		s.Done(r)
		runs++
	}
	require.Zero(t, total.Cmp(big.NewRat(1, 1)), "probabilities add up to %s", total)
	return sum, runs
}

// sequences runs tasks that do nothing but steps, without a first event of their
// own, and calls each with the number of its step.
func sequences(steps []int, fn func(t *sim.Task, task, step int)) func(*sim.Task) {
	return func(t *sim.Task) {
		for i, n := range steps {
			t.Spawn("t", sim.Op{Verb: "step"}, func(t *sim.Task) {
				for k := range n {
					if k > 0 {
						t.Step(sim.Op{Verb: "step"})
					}
					fn(t, i, k)
				}
			})
		}
		t.Explore()
	}
}

// checkFreeAct fails if the second task frees between the check and the act of
// the first. It takes k steps.
func checkFreeAct(k int) func(*sim.Task) {
	return func(t *sim.Task) {
		freed, checked, bad := false, false, false
		sequences([]int{2, k - 2}, func(t *sim.Task, task, step int) {
			switch {
			case task == 0 && step == 0:
				checked = !freed
			case task == 0 && step == 1:
				bad = checked && freed
			case task == 1 && step == 0:
				freed = true
			}
		})(t)
		if bad {
			t.Fail(sim.Bug, "acted on what was freed")
		}
	}
}

// alternate fails if the events are in the order a1 b1 a2 b2.
func alternate(k int) func(*sim.Task) {
	return func(t *sim.Task) {
		order := ""
		sequences([]int{2, k - 2}, func(t *sim.Task, task, step int) {
			if step < 2 {
				order += fmt.Sprint(string(rune('a'+task)), step+1, " ")
			}
		})(t)
		if order == "a1 b1 a2 b2 " {
			t.Fail(sim.Bug, "%s", order)
		}
	}
}

func TestPCTExactly(t *testing.T) {
	for _, c := range []struct {
		name string
		d, k int
		body func(*sim.Task)
		want *big.Rat
	}{
		{"check free act", 2, 4, checkFreeAct(4), big.NewRat(1, 8)},
		{"check free act", 2, 8, checkFreeAct(8), big.NewRat(1, 16)},
		{"a1 b1 a2 b2", 3, 4, alternate(4), big.NewRat(1, 32)},
		{"a1 b1 a2 b2", 3, 6, alternate(6), big.NewRat(1, 72)},
		{"check free act, too shallow", 1, 8, checkFreeAct(8), new(big.Rat)},
		{"a1 b1 a2 b2, too shallow", 2, 6, alternate(6), new(big.Rat)},
	} {
		t.Run(fmt.Sprintf("%s d=%d k=%d", c.name, c.d, c.k), func(t *testing.T) {
			got, runs := found(t, c.d, c.k, c.body)
			require.Zero(t, c.want.Cmp(got), "probability %s, want %s", got, c.want)
			tosses := 2 // 2! orders, k^(d-1) change points
			for range c.d - 1 {
				tosses *= c.k
			}
			require.Equal(t, tosses, runs)
		})
	}
}

// TestPCTLearnsLength finds a bug of depth 2 without being told the length.
func TestPCTLearnsLength(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	s := explore.NewPCT(1, 2)
	hits := 0
	const runs = 4000
	for range runs {
		r := m.Run(s, checkFreeAct(8))
		if r.Failure != nil {
			hits++
		}
		s.Done(r)
	}
	// The seed is fixed, so this cannot fail by chance: 1/16 of the runs, roughly.
	require.InDelta(t, runs/16, hits, runs/100)
}

// Two tasks that keep each other going do not keep a third one from its turn for ever, whatever the
// priorities are.
func TestPCTIsFairInTheEnd(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	s := explore.NewPCT(1, 3)
	long := 0
	for range 30 {
		r := m.Run(s, func(t *sim.Task) {
			var turns, flag sim.Object
			t.Own(&turns, "turns", "")
			t.Own(&flag, "flag", "")
			turn, over := 0, false
			for me := range 2 {
				t.Go("player", func(t *sim.Task) {
					for !over {
						t.Step(sim.Op{Verb: "wait", Obj: &turns, Guard: when(func() bool { return turn == me || over })})
						turn = 1 - me
					}
				})
			}
			t.Go("umpire", func(t *sim.Task) {
				t.Step(sim.Op{Verb: "stop", Obj: &flag})
				over = true
			})
			t.Explore()
		})
		require.Nil(t, r.Failure)
		if r.Steps > sim.DefaultStepLimit/2 {
			long++
		}
		s.Done(r)
	}
	require.NotZero(t, long, "in some runs the umpire has the lowest priority")
}

// when is a guard that is a function.
type when func() bool

func (w when) Ready(*sim.Task) bool { return w() }
