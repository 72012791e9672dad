package sim_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// trier is a lock with a try operation, which only reads if it fails.
type trier struct {
	obj  sim.Object
	held bool
}

func newTrier(t *sim.Task, name string) *trier {
	l := &trier{}
	t.Own(&l.obj, "lock", name)
	return l
}

func (l *trier) try(t *sim.Task) bool {
	t.Step(sim.Op{Verb: "trylock", Obj: &l.obj})
	if l.held {
		t.Did(sim.Read)
		return false
	}
	l.held = true
	return true
}

func (l *trier) unlock(t *sim.Task) {
	t.Step(sim.Op{Verb: "unlock", Obj: &l.obj})
	l.held = false
}

// backOff has two tasks take two locks by trying, in orders of their own, and give up what
// they have if they do not get the other. In step, they never do.
func backOff(t *sim.Task) {
	a, b := newTrier(t, "a"), newTrier(t, "b")
	task := func(first, second *trier) func(*sim.Task) {
		return func(t *sim.Task) {
			for {
				if !first.try(t) {
					continue
				}
				if second.try(t) {
					second.unlock(t)
					first.unlock(t)
					t.Progress("both locks")
					return
				}
				first.unlock(t)
			}
		}
	}
	t.Go("left", task(a, b))
	t.Go("right", task(b, a))
	t.Explore()
}

// alternating runs the tasks in turns.
type alternating struct{ sim.Default }

func (alternating) Next(p *sim.Point) *sim.Task {
	for i, t := range p.Enabled {
		if t.Index() > p.Current.Index() {
			return p.Enabled[i]
		}
	}
	return p.Enabled[0]
}

func runTo(limit int, s sim.Strategy, body func(*sim.Task)) *sim.Result {
	m := sim.NewMachine()
	defer m.Close()
	m.StepLimit = limit
	return m.Run(s, body)
}

func TestLivelock(t *testing.T) {
	r := runTo(400, alternating{}, backOff)
	require.Equal(t, sim.Livelock, r.Failure.Kind, r.Failure.Message)
	require.Equal(t, 400, r.Steps)
	require.Equal(t, "the run is not over after 400 operations, the step bound: "+
		"left (task 1) repeats 3 steps 33 times, right (task 2) repeats 3 steps 33 times", r.Failure.Message)
	require.Equal(t, []string{
		"left (task 1) repeats 3 steps 33 times: trylock b; unlock a; trylock a",
		"right (task 2) repeats 3 steps 33 times: trylock a; unlock b; trylock b",
	}, r.Failure.Detail)

	require.Nil(t, runTo(400, sim.Default{}, backOff).Failure, "one after the other they get both")
	found := explore.Run(t.Context(), backOff, explore.NewRandom(1), explore.Options{StepLimit: 400, Executions: 2000})
	require.Nil(t, found.Found, "a fair schedule ends")
}

// A task that polls what another one goes on changing: told apart from a livelock, by what is
// progress or by who writes.
func TestStarvation(t *testing.T) {
	var l *trier
	body := func(named bool) func(t *sim.Task) {
		return func(t *sim.Task) {
			l = newTrier(t, "l")
			t.Go("greedy", func(t *sim.Task) {
				for n := 0; ; n++ {
					if l.try(t) {
						l.unlock(t)
						if named {
							t.Progress("request")
						}
					}
				}
			})
			t.Go("poor", func(t *sim.Task) {
				for !l.try(t) {
				}
			})
			t.Explore()
		}
	}
	r := runTo(300, &atBadTimes{l: &l}, body(true))
	require.Equal(t, sim.Starvation, r.Failure.Kind, r.Failure.Message)
	require.Contains(t, r.Failure.Message, "poor (task 2) repeats 1 step 50 times in vain while greedy (task 1) makes progress (request, 50 times)")
	require.Contains(t, r.Failure.Detail, "poor (task 2) repeats 1 step 50 times: trylock l")
	r = runTo(300, &atBadTimes{l: &l}, body(false))
	require.Equal(t, sim.Starvation, r.Failure.Kind, r.Failure.Message)
	require.Contains(t, r.Failure.Message, "poor (task 2) repeats 1 step 50 times in vain while greedy (task 1) writes what it waits for")
}

// atBadTimes runs the second task once each time that the first one holds the lock.
type atBadTimes struct {
	sim.Default
	l     **trier
	tried bool
}

func (s *atBadTimes) Next(p *sim.Point) *sim.Task {
	if (*s.l).held && !s.tried {
		s.tried = true
		return p.Enabled[1]
	}
	s.tried = false
	return p.Enabled[0]
}

// What does not repeat, or gets on, is a run that is too long.
func TestStepBound(t *testing.T) {
	var objs [200]sim.Object
	r := runTo(300, sim.Default{}, func(t *sim.Task) {
		for i := range objs {
			t.Own(&objs[i], "object", strings.Repeat("x", i+1))
		}
		t.Go("counter", func(t *sim.Task) {
			for n := 0; ; n++ {
				t.Step(sim.Op{Verb: "step", Obj: &objs[n%len(objs)]})
			}
		})
		t.Explore()
	})
	require.Equal(t, sim.StepBound, r.Failure.Kind, r.Failure.Message)
	require.Equal(t, "the run is not over after 300 operations, the step bound", r.Failure.Message)

	r = runTo(300, sim.Default{}, func(t *sim.Task) {
		t.Go("server", func(t *sim.Task) {
			for {
				t.Step(sim.Op{Verb: "serve"})
				t.Progress("request")
			}
		})
		t.Explore()
	})
	require.Equal(t, sim.StepBound, r.Failure.Kind, r.Failure.Message)
	require.Contains(t, r.Failure.Detail, "last progress: request by server (task 1) at step 300")
}

// Tasks that come and go are one, and a task that the schedule forgot is named.
func TestLivelockOfShortTasks(t *testing.T) {
	r := runTo(300, sim.Default{}, func(t *sim.Task) {
		var o sim.Object
		t.Own(&o, "work", "w")
		var work func(*sim.Task)
		work = func(t *sim.Task) {
			t.Step(sim.Op{Verb: "fail", Obj: &o})
			t.Spawn("kworker", sim.Op{Verb: "run", Obj: &o}, work)
		}
		t.Go("submitter", work)
		t.Explore()
	})
	require.Equal(t, sim.Livelock, r.Failure.Kind, r.Failure.Message)
	require.Equal(t, []string{"kworker repeats 2 steps 74 times: run w; fail w"}, r.Failure.Detail)

	r = runTo(300, sim.Default{}, func(t *sim.Task) {
		for _, name := range []string{"poller", "other"} {
			t.Go(name, func(t *sim.Task) {
				for {
					t.Step(sim.Op{Verb: "poll"})
				}
			})
		}
		t.Explore()
	})
	require.Equal(t, sim.Livelock, r.Failure.Kind)
	require.Contains(t, r.Failure.Detail, "other (task 2) could have run all the time, and never got its turn")
}

// The verdict is the same while private objects are hidden.
func TestLivelockOnHiddenObjects(t *testing.T) {
	body := func(t *sim.Task) {
		for _, name := range []string{"one", "two"} {
			var o sim.Object
			t.Own(&o, "object", name)
			t.Go(name, func(t *sim.Task) {
				for {
					t.Step(sim.Op{Verb: "load", Obj: &o})
				}
			})
		}
		t.Explore()
	}
	m := sim.NewMachine()
	defer m.Close()
	m.StepLimit = 300
	first := m.Run(sim.Default{}, body).Failure
	private := map[uint64]bool{}
	m.Private(private)
	m.Hide(private)
	second := m.Run(sim.Default{}, body).Failure
	require.Equal(t, first.Message, second.Message)
	require.Equal(t, first.Detail[0], second.Detail[0])
}

// Who does not want to know what repeats is told that the run is too long, and a loop with a limit of
// its own goes on. The next run of the machine has the look again.
func TestNoLivelock(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	m.StepLimit = 300
	for i, look := range []bool{true, false, true, false} {
		r := m.Run(sim.Default{}, func(t *sim.Task) {
			if !look {
				m.NoLivelock()
			}
			t.Go("spinner", func(t *sim.Task) {
				for n := 0; ; n++ {
					t.Step(sim.Op{Verb: "try"})
					if n > 100 && i > 1 {
						t.Livelock("tried %d times", n)
					}
				}
			})
			t.Explore()
		})
		want := sim.StepBound
		if look {
			want = sim.Livelock
		}
		require.Equal(t, want, r.Failure.Kind, r.Failure.Message)
	}
}
