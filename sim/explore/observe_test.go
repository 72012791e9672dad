package explore_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// coin is a program's run: what was thrown, and the observer that all of them have.
type coin struct {
	thrown  int
	watched bool
}

func (c *coin) Observer() explore.Observer {
	if !c.watched {
		return nil
	}
	return bothSides{}
}

// bothSides concludes from two runs that show different sides.
type bothSides map[int]explore.Witness

func (b bothSides) Observe(number int, m *sim.Machine, r *sim.Result) {
	c := m.Value.(*coin)
	what := fmt.Sprintf("run %d shows %d", number, c.thrown)
	if _, ok := b[c.thrown]; !ok {
		b[c.thrown] = explore.Witness{What: what, Schedule: r.Schedule()}
	}
}

func (b bothSides) Fork() explore.Observer { return bothSides{} }

// Merge keeps the earlier one, by the number in What, which has one digit here.
func (b bothSides) Merge(o explore.Observer) {
	for side, w := range o.(bothSides) {
		if old, ok := b[side]; !ok || w.What < old.What {
			b[side] = w
		}
	}
}

func (b bothSides) Conclude() *explore.Conclusion {
	if len(b) < 2 {
		return nil
	}
	runs := []explore.Witness{b[0], b[1]}
	slices.SortFunc(runs, func(v, w explore.Witness) int { return len(v.What) - len(w.What) })
	return &explore.Conclusion{Kind: "fair", Message: "it has two sides", Runs: runs}
}

func throws(watched bool) func(*sim.Task) {
	return func(t *sim.Task) {
		c := &coin{watched: watched}
		t.Machine().Value = c
		var o sim.Object
		t.Own(&o, "coin", "coin")
		for range 2 {
			t.Go("thrower", func(t *sim.Task) {
				c.thrown = t.Choose(2, "side")
				t.Step(sim.Op{Verb: "show", Obj: &o})
			})
		}
		t.Explore()
	}
}

// A program that is to be looked at over all of its runs says so itself.
func TestCheckLooksAtAllRuns(t *testing.T) {
	p := newProbe(t)
	p.check(throws(true))
	require.Contains(t, p.fatal, "fair: it has two sides")
	require.Regexp(t, `(?m)^further run: run \d+ shows 1: DMASIM_SCHEDULE='.*\?.*=1#[0-9a-f]{8}' go test .*\nreplay: DMASIM_SCHEDULE='`, p.fatal)
	p.check(throws(true), explore.Within(explore.Options{NoObserver: true}))
	require.Empty(t, p.fatal)
	p.check(throws(false))
	require.Empty(t, p.fatal)
}

// However many workers share the runs, they conclude the same.
func TestObserversOfWorkers(t *testing.T) {
	found := func(workers int) *explore.Found {
		r := explore.Run(t.Context(), throws(true), explore.NewRandom(1), explore.Options{Executions: 9, Workers: workers})
		require.NotNil(t, r.Found)
		r.Found.Machine.Close()
		return r.Found
	}
	one, three := found(1), found(3)
	require.Equal(t, one.Schedule, three.Schedule)
	require.Equal(t, one.Others, three.Others)
}
