package explore_test

import (
	"context"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// straight runs tasks that do nothing but write one variable so many times each, and
// reports the order in which they did.
func straight(n ...int) program {
	return func(t *sim.Task, out *string) {
		x := newVariable(t, "x")
		order := ""
		for i, n := range n {
			t.Spawn("t", sim.Op{Verb: "store", Obj: &x.Object}, func(t *sim.Task) {
				for k := range n {
					if k > 0 {
						x.store(t, k)
					}
					order += fmt.Sprint(i)
				}
			})
		}
		t.Explore()
		*out = order
	}
}

// projected is straight with noise: task i writes a variable of its own i+1 times before
// each write of x.
func projected(n ...int) program {
	return func(t *sim.Task, out *string) {
		x := newVariable(t, "x")
		order := ""
		for i, n := range n {
			y := newVariable(t, "noise")
			t.Go("t", func(t *sim.Task) {
				for k := range n {
					for range i + 1 {
						y.store(t, k)
					}
					x.store(t, k)
					order += fmt.Sprint(i)
				}
			})
		}
		t.Explore()
		*out = order
	}
}

// family is a task of one write that creates one of two and then writes once more, next
// to a task of two writes. Where creates is set, creating is an event of its own.
func family(creates bool) program {
	return func(t *sim.Task, out *string) {
		x := newVariable(t, "x")
		order := ""
		write := func(t *sim.Task, name string) {
			x.store(t, 1)
			order += name
		}
		t.Go("parent", func(t *sim.Task) {
			write(t, "p")
			if creates {
				t.Step(sim.Op{Verb: "create"})
			}
			t.Go("child", func(t *sim.Task) {
				write(t, "c")
				write(t, "c")
			})
			write(t, "p")
		})
		t.Go("other", func(t *sim.Task) {
			write(t, "o")
			write(t, "o")
		})
		t.Explore()
		*out = order
	}
}

// odds computes the exact probability of each final state in one run of SURW that has
// learned from so many.
func odds(t *testing.T, s *explore.SURW, learn int, p program) map[string]*big.Rat {
	m := sim.NewMachine()
	defer m.Close()
	state := ""
	body := func(t *sim.Task) { p(t, &state) }
	for range learn {
		s.Done(m.Run(s, body))
	}
	tosses := &allTosses{p: big.NewRat(1, 1)}
	fixed := explore.NewSURWFixed(s, tosses)
	out, total := map[string]*big.Rat{}, new(big.Rat)
	for more := true; more; more = tosses.next() {
		r := m.Run(fixed, body)
		require.Nil(t, r.Failure)
		fixed.Done(r)
		if out[state] == nil {
			out[state] = new(big.Rat)
		}
		out[state].Add(out[state], tosses.p)
		total.Add(total, tosses.p)
	}
	require.Zero(t, total.Cmp(big.NewRat(1, 1)), "probabilities add up to %s", total)
	return out
}

func TestSURWExactly(t *testing.T) {
	noise := func(o *sim.Object) bool { return o.Name == "x" }
	for _, c := range []struct {
		name   string
		p      program
		only   func(*sim.Object) bool
		orders int64
	}{
		{"1 and 1", straight(1, 1), nil, 2},
		{"5 and 1", straight(5, 1), nil, 6},
		{"2 and 2", straight(2, 2), nil, 6},
		{"3 and 2", straight(3, 2), nil, 10},
		{"4 and 3", straight(4, 3), nil, 35},
		{"2, 1 and 1", straight(2, 1, 1), nil, 12},
		{"3, 2 and 1", straight(3, 2, 1), nil, 60},
		{"3 and 1 with noise", projected(3, 1), noise, 4},
		{"2 and 2 with noise", projected(2, 2), noise, 6},
		// p c c p with the first p first: 3 orders; two more events anywhere: 6!/(4! 2!).
		{"family", family(false), nil, 45},
		{"family with an event that creates", family(true), nil, 45},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := odds(t, explore.NewSURW(1).Only(c.only), 1, c.p)
			require.Len(t, got, int(c.orders))
			for order, p := range got {
				require.Zero(t, p.Cmp(big.NewRat(1, c.orders)), "%s: %s", order, p)
			}
		})
	}
}

// TestSURWWithoutCounts is the comparison: if nothing was learned yet it is a random
// walk, which halves the probability at every step that the short task waits.
func TestSURWWithoutCounts(t *testing.T) {
	got := odds(t, explore.NewSURW(1), 0, straight(5, 1))
	for k := range 6 {
		order := strings.Repeat("0", k) + "1" + strings.Repeat("0", 5-k)
		want := big.NewRat(1, int64(1)<<min(k+1, 5))
		require.Zero(t, want.Cmp(got[order]), "%s: %s", order, got[order])
	}
}

// TestSURWLate finds what a random walk hardly does: a write after the last of twenty.
func TestSURWLate(t *testing.T) {
	late := strings.Repeat("0", 20) + "1"
	hits := func(s explore.Strategy) int {
		m := sim.NewMachine()
		defer m.Close()
		n, state := 0, ""
		for range 2100 {
			s.Done(m.Run(s, func(t *sim.Task) { straight(20, 1)(t, &state) }))
			if state == late {
				n++
			}
		}
		return n
	}
	// The seeds are fixed, so this cannot fail by chance: 1/21 against 1/2^20.
	require.InDelta(t, 100, hits(explore.NewSURW(1)), 30)
	require.Zero(t, hits(explore.NewRandom(1)))
}

func TestSURWStaysInside(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		text, p := randomProgram(r, strings.Fields(allVerbs))
		all := enumerate(explore.NewDFS(explore.Coverage{Bound: explore.All}), p, 2000)
		if !all.exhausted {
			r.Skip("too many interleavings")
		}
		first := func(o *sim.Object) bool { return o.Key()&1 == 0 }
		for _, s := range []*explore.SURW{explore.NewSURW(7), explore.NewSURW(7).Only(first)} {
			got := enumerate(s, p, 60)
			for tr := range got.traces {
				if _, ok := all.traces[tr]; !ok {
					r.Fatalf("%v: ran what does not exist", text)
				}
			}
			require.Zero(r, got.failures[sim.Misuse])
			require.Equal(r, explore.Coverage{}, s.Covered())
		}
	})
}

func TestSURWReachesAll(t *testing.T) {
	for name, p := range map[string]program{"writers": writers(3), "sb": sb(2), "lock": lockNK(2, 2), "philosophers": philosophers(3)} {
		want := enumerate(explore.NewDPOR(), p, 1000)
		got := enumerate(explore.NewSURW(3), p, 2000)
		require.Equal(t, keys(want.traces), keys(got.traces), name)
	}
}

func TestSURWRepeats(t *testing.T) {
	a, b := enumerate(explore.NewSURW(5), ringNP(3, 4), 200), enumerate(explore.NewSURW(5), ringNP(3, 4), 200)
	require.Equal(t, a.traces, b.traces)
}

// TestSURWRestarts checks that Restart forgets the counts, and that Run gets along with it.
func TestSURWRestarts(t *testing.T) {
	rep := explore.Run(context.Background(), lostUpdate(3), explore.NewSURW(1), explore.Options{Executions: 1000})
	require.NotNil(t, rep.Found)
	defer rep.Found.Machine.Close()
	require.Equal(t, sim.Bug, rep.Found.Failure.Kind)

	s := explore.NewSURW(1)
	m := sim.NewMachine()
	defer m.Close()
	state := ""
	body := func(t *sim.Task) { straight(5, 1)(t, &state) }
	for range 10 {
		s.Done(m.Run(s, body))
	}
	s.Restart()
	require.Len(t, odds(t, s, 1, straight(2, 2)), 6)
	for order, p := range odds(t, s, 0, straight(2, 2)) {
		require.Zero(t, p.Cmp(big.NewRat(1, 6)), "%s: %s", order, p)
	}
}
