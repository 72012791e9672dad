package draw_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/internal/simtest"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/explore/draw"
)

// shrunk runs a property under a seed and returns the first failure that it had, and the
// one that rapid arrived at: the failing run that it repeats at the very end.
func shrunk(t *testing.T, seed int, prop func(rt *rapid.T) *sim.Result, fail func(*rapid.T, *sim.Result)) (first, last found, log string) {
	simtest.Flags(t, "rapid.seed", fmt.Sprint(seed), "rapid.nofailfile", "true", "rapid.failfile", "", "rapid.checks", "2000")
	rec := &simtest.Recorder{Test: "No/Such/Test"}
	rapid.Check(rec, func(rt *rapid.T) {
		r := prop(rt)
		if r.Failure != nil {
			last = found{r.Failure.Kind, r.Schedule()}
			if first.kind == "" {
				first = last
			}
		}
		fail(rt, r)
	})
	require.True(t, rec.Failed())
	return first, last, rec.Logged.String()
}

type found struct {
	kind     sim.Kind
	schedule sim.Schedule
}

// counter is a shared variable.
type counter struct {
	sim.Object
	n int
}

func (c *counter) add(t *sim.Task) {
	t.Step(sim.Op{Verb: "load", Obj: &c.Object, Class: sim.Read})
	n := c.n
	t.Step(sim.Op{Verb: "store", Obj: &c.Object})
	c.n = n + 1
}

func work(t *sim.Task, steps int) {
	for range steps {
		t.Step(sim.Op{Verb: "work"})
	}
}

// lostUpdate has three tasks of twelve steps each.
func lostUpdate(t *sim.Task) {
	c := &counter{}
	t.Own(&c.Object, "counter", "x")
	for range 3 {
		t.Go("adder", func(t *sim.Task) {
			work(t, 5)
			c.add(t)
			work(t, 4)
		})
	}
	t.Explore()
	if c.n != 3 {
		t.Fail(sim.Bug, "an update was lost")
	}
}

// TestShrinksToOnePreemption is the measurement that the way of drawing was chosen by.
func TestShrinksToOnePreemption(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	require.Equal(t, 36, m.Run(sim.Default{}, lostUpdate).Steps)
	var left, before []int
	for seed := range 5 {
		first, last, log := shrunk(t, seed+1, func(rt *rapid.T) *sim.Result {
			return draw.Run(rt, m, lostUpdate, draw.Schedule(10, 12))
		}, draw.Fail)
		before = append(before, first.schedule.Preemptions())
		left = append(left, last.schedule.Preemptions())
		// Which task begins is no preemption, and may be left.
		require.LessOrEqual(t, len(last.schedule.Switches), 2, "%s", last.schedule)
		require.Contains(t, log, "bug: an update was lost\nschedule: "+last.schedule.String())

		r := m.Run(explore.NewReplay(last.schedule), lostUpdate)
		require.NotNil(t, r.Failure, "the schedule in the message replays the failure")
	}
	t.Logf("preemptions before %v, after %v", before, left)
	require.Equal(t, []int{1, 1, 1, 1, 1}, left)
}

const late sim.Kind = "late"

// twoBugs fails in one way if a task is preempted in the few steps at its beginning, and
// in another if that happens in the many steps at its end.
func twoBugs(t *sim.Task) {
	c := &counter{}
	t.Own(&c.Object, "counter", "x")
	busy := &counter{}
	t.Own(&busy.Object, "counter", "busy")
	for range 2 {
		t.Go("t", func(t *sim.Task) {
			t.Step(sim.Op{Verb: "enter", Obj: &busy.Object})
			if busy.n++; busy.n > 1 {
				t.Fail(sim.Bug, "two at once")
			}
			t.Step(sim.Op{Verb: "leave", Obj: &busy.Object})
			busy.n--
			work(t, 8)
			t.Step(sim.Op{Verb: "load", Obj: &c.Object, Class: sim.Read})
			n := c.n
			work(t, 8)
			t.Step(sim.Op{Verb: "store", Obj: &c.Object})
			c.n = n + 1
		})
	}
	t.Explore()
	if c.n != 2 {
		t.Fail(late, "an update was lost")
	}
}

// TestKindsAreNotMixedUp: what rapid arrives at is the bug that it found, and is not if
// all failures are raised at one place.
func TestKindsAreNotMixedUp(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	prop := func(rt *rapid.T) *sim.Result { return draw.Run(rt, m, twoBugs, draw.Schedule(4, 40)) }
	naive := func(rt *rapid.T, r *sim.Result) {
		if r.Failure != nil {
			rt.Fatalf("%v", r.Failure)
		}
	}
	mixedUp := 0
	kinds := map[sim.Kind]int{}
	for seed := range 10 {
		first, last, _ := shrunk(t, seed+1, prop, draw.Fail)
		kinds[first.kind]++
		require.Equal(t, first.kind, last.kind, "seed %d", seed)
		if first, last, _ := shrunk(t, seed+1, prop, naive); first.kind != last.kind {
			mixedUp++
		}
	}
	t.Logf("found first: %v; mixed up if raised at one place: %d", kinds, mixedUp)
	require.Len(t, kinds, 2)
	require.NotZero(t, mixedUp)
}

func TestScheduleIsSparseAndSorted(t *testing.T) {
	values := 0
	rapid.Check(t, func(rt *rapid.T) {
		nudges, gap := rapid.IntRange(0, 5).Draw(rt, "nudges"), rapid.IntRange(1, 9).Draw(rt, "gap")
		p := draw.Schedule(nudges, gap).Draw(rt, "plan")
		require.LessOrEqual(rt, len(p.Nudges), nudges)
		step := 0
		for _, n := range p.Nudges {
			require.Greater(rt, n.Step, step)
			require.LessOrEqual(rt, n.Step, nudges*gap)
			require.Positive(rt, n.Delay)
			step = n.Step
		}
		require.LessOrEqual(rt, len(p.Values), nudges*gap)
		if n := len(p.Values); n > 0 {
			require.NotZero(rt, p.Values[n-1])
			values++
		}
	})
	require.NotZero(t, values)
}

// TestChoicesAreDrawn: a failure that needs a value of a choice is found and keeps that
// choice only.
func TestChoicesAreDrawn(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	_, last, _ := shrunk(t, 1, func(rt *rapid.T) *sim.Result {
		return draw.Run(rt, m, func(t *sim.Task) {
			for range 2 {
				t.Go("t", func(t *sim.Task) {
					for i := range 4 {
						if t.Choose(3, "c") == 2 && i == 2 {
							t.Fail(sim.Bug, "chosen")
						}
					}
				})
			}
			t.Explore()
		}, draw.Schedule(6, 8))
	}, draw.Fail)
	require.Equal(t, "?2=2", last.schedule.String())
}

func TestFailIsSilentWithoutFailure(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	rapid.Check(t, func(rt *rapid.T) {
		draw.Fail(rt, draw.Run(rt, m, func(t *sim.Task) {
			t.Go("t", func(t *sim.Task) { work(t, 2) })
			t.Go("u", func(t *sim.Task) { work(t, 2) })
			t.Explore()
		}, draw.Schedule(6, 30)))
	})
}

func TestNothingIsWritten(t *testing.T) {
	shrunk(t, 1, func(rt *rapid.T) *sim.Result {
		m := sim.NewMachine()
		defer m.Close()
		return draw.Run(rt, m, lostUpdate, draw.Schedule(6, 12))
	}, draw.Fail)
	_, err := os.Stat(filepath.Join("testdata", "rapid"))
	require.True(t, os.IsNotExist(err))
}
