package sim_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

func run(t *testing.T, body func(*sim.Task)) *sim.Result {
	t.Helper()
	m := sim.NewMachine()
	t.Cleanup(m.Close)
	return m.Run(sim.Default{}, body)
}

func mutexes(t *sim.Task) (a, b *mutex) {
	a, b = &mutex{}, &mutex{}
	t.Own(&a.Object, "mutex", "a")
	t.Own(&b.Object, "mutex", "b")
	return a, b
}

// crossed takes two locks in both orders.
func crossed(t *sim.Task) {
	a, b := mutexes(t)
	t.Go("ab", func(t *sim.Task) { a.lock(t); b.lock(t); b.unlock(t); a.unlock(t) })
	t.Go("ba", func(t *sim.Task) { b.lock(t); a.lock(t); a.unlock(t); b.unlock(t) })
	t.Explore()
}

// crossing drives crossed into its deadlock.
type crossing struct{ sim.Default }

func (crossing) Next(p *sim.Point) *sim.Task { return p.Enabled[p.Step%len(p.Enabled)] }

func TestDeadlockNamesCycle(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	r := m.Run(crossing{}, crossed)
	require.NotNil(t, r.Failure)
	require.Equal(t, sim.Deadlock, r.Failure.Kind)
	require.Equal(t, "ab waits for lock b held by ba; ba waits for lock a held by ab", r.Failure.Message)
	require.Equal(t, []string{
		"INFO: ab (task 1) is blocked: lock b, held by ba (task 2)",
		"INFO: ba (task 2) is blocked: lock a, held by ab (task 1)",
	}, r.Failure.Detail)
}

func TestDeadlockWithoutCycle(t *testing.T) {
	r := run(t, func(t *sim.Task) {
		a, _ := mutexes(t)
		t.Go("forgetful", func(t *sim.Task) { a.lock(t) })
		t.Go("waiter", func(t *sim.Task) { a.lock(t) })
		t.Explore()
	})
	require.Equal(t, sim.Deadlock, r.Failure.Kind)
	require.Equal(t, "nobody can wake waiter", r.Failure.Message)
}

func TestPanicIsBug(t *testing.T) {
	r := run(t, func(t *sim.Task) {
		t.Go("t", func(t *sim.Task) { breakDown() })
		t.Explore()
	})
	require.Equal(t, sim.Bug, r.Failure.Kind)
	require.Equal(t, "panic in the model: broken", r.Failure.Message)
	require.NotEmpty(t, r.Failure.Detail)
	require.Contains(t, r.Failure.Detail[0], "breakDown")
	require.NotContains(t, strings.Join(r.Failure.Detail, "\n"), "0x")
}

//go:noinline
func breakDown() { panic("broken") }

func TestQuietTimersFireLastAndInOrder(t *testing.T) {
	order := ""
	r := run(t, func(t *sim.Task) {
		t.Go("t", func(t *sim.Task) {
			t.After(20, sim.Quiet, "late", func(t *sim.Task) { order += "late " })
			t.After(10, sim.Quiet, "early", func(t *sim.Task) {
				order += "early "
				// A timer that has fired is a task like any other.
				t.Step(sim.Op{Verb: "more"})
				order += "more "
			})
			gone := t.After(5, sim.Quiet, "gone", func(t *sim.Task) { order += "gone " })
			for range 3 {
				t.Step(sim.Op{Verb: "work"})
				order += "work "
			}
			require.True(nil2(t), gone.Cancel(t))
		})
		t.Explore()
		order += "end"
	})
	require.Nil(t, r.Failure)
	require.Equal(t, "work work work early more late end", order)
}

// nil2 is a TestingT for use inside a task: a failure is a failure of the run.
func nil2(t *sim.Task) require.TestingT { return inside{t} }

type inside struct{ t *sim.Task }

func (i inside) Errorf(format string, args ...any) { i.t.Warn(format, args...) }
func (i inside) FailNow()                          { i.t.Fail(sim.Bug, "requirement not met") }

func TestTimerThatFiredCannotBeCancelled(t *testing.T) {
	r := run(t, func(t *sim.Task) {
		a, _ := mutexes(t)
		t.Go("t", func(t *sim.Task) {
			a.lock(t)
			tm := t.After(1, sim.Quiet, "tm", func(t *sim.Task) {
				t.Step(sim.Op{Verb: "one"})
				a.unlock(t)
				t.Step(sim.Op{Verb: "two"})
			})
			a.lock(t) // until the timer has fired
			require.False(nil2(t), tm.Cancel(t))
		})
		t.Explore()
	})
	require.Nil(t, r.Failure)
}

func TestRacingTimerIsOffered(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	first := map[string]bool{}
	for i := range 50 {
		w := &walk{uint64(i)*2654435761 + 12345}
		order := ""
		r := m.Run(w, func(t *sim.Task) {
			t.Go("t", func(t *sim.Task) {
				t.After(1000, sim.Racing, "tm", func(t *sim.Task) { order += "timer " })
				t.Step(sim.Op{Verb: "work"})
				order += "work "
			})
			t.Explore()
		})
		require.Nil(t, r.Failure)
		first[order] = true
	}
	require.Equal(t, map[string]bool{"timer work ": true, "work timer ": true}, first)
}

func TestRecoveryTimerIsStall(t *testing.T) {
	r := run(t, func(t *sim.Task) {
		a, _ := mutexes(t)
		t.Go("t", func(t *sim.Task) {
			a.lock(t)
			t.After(1, sim.Recovery, "rescue", func(t *sim.Task) { a.holder() })
			a.lock(t)
		})
		t.Explore()
	})
	require.NotNil(t, r.Failure)
	require.Equal(t, sim.Stall, r.Failure.Kind)
	require.Contains(t, r.Failure.Message, "only rescue could end that")
}

func (m *mutex) holder() *sim.Task { return m.held }

func TestStepBoundIsLivelock(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	m.StepLimit = 100
	r := m.Run(sim.Default{}, func(t *sim.Task) {
		t.Go("t", func(t *sim.Task) {
			for {
				t.Step(sim.Op{Verb: "spin"})
			}
		})
		t.Explore()
	})
	require.Equal(t, sim.Livelock, r.Failure.Kind)
	require.Equal(t, 100, r.Steps)

	r = m.Run(sim.Default{}, func(t *sim.Task) {
		for {
			t.Step(sim.Op{Verb: "spin"})
		}
	})
	require.Equal(t, sim.Livelock, r.Failure.Kind)
	require.Contains(t, r.Failure.Message, "outside the explored phase")
}

// asked counts what a strategy is asked.
type asked struct {
	sim.Default
	next, choose int
}

func (a *asked) Next(p *sim.Point) *sim.Task   { a.next++; return p.Default() }
func (a *asked) Choose(t *sim.Task, n int) int { a.choose++; return n - 1 }

func TestOnlyExploreIsExplored(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	s := &asked{}
	var values []int
	r := m.Run(s, func(t *sim.Task) {
		t.Step(sim.Op{Verb: "set up"})
		values = append(values, t.Choose(3, "c"))
		t.Spawn("early", sim.Op{Verb: "early"}, func(t *sim.Task) {})
		t.Go("t", func(t *sim.Task) {
			values = append(values, t.Choose(3, "c"), t.Choose(1, "only"))
			t.Step(sim.Op{Verb: "work"})
		})
		t.Explore()
		values = append(values, t.Choose(3, "c"))
		t.Step(sim.Op{Verb: "tear down"})
	})
	require.Nil(t, r.Failure)
	require.Equal(t, []int{0, 2, 0, 0}, values)
	require.Equal(t, 3, r.Steps, "early, start and work")
	require.Equal(t, 3, s.next)
	require.Equal(t, 1, s.choose)
	require.Equal(t, "?0=2", r.Schedule().String())
}

// TestGoexitDoesNotHang: t.Fatal in a task must end the test.
func TestGoexitDoesNotHang(t *testing.T) {
	done := make(chan bool)
	go func() {
		defer close(done)
		m := sim.NewMachine()
		m.Run(sim.Default{}, func(t *sim.Task) {
			t.Go("other", func(t *sim.Task) { t.Step(sim.Op{Verb: "work"}) })
			t.Go("fatal", func(t *sim.Task) { runtime.Goexit() })
			t.Explore()
		})
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("the run hangs")
	}
}

// giveUp abandons every run after some steps.
type giveUp struct{ sim.Default }

func (giveUp) Next(p *sim.Point) *sim.Task {
	if p.Step == 3 {
		return p.Abandon()
	}
	return p.Default()
}

func TestAbandon(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	audited := false
	r := m.Run(giveUp{}, func(t *sim.Task) {
		t.Machine().Audit(func() *sim.Failure { audited = true; return nil })
		crossed(t)
	})
	require.True(t, r.Abandoned)
	require.Nil(t, r.Failure)
	require.False(t, audited)
	r = m.Run(sim.Default{}, crossed)
	require.False(t, r.Abandoned)
	require.Nil(t, r.Failure)
}

func TestNoGoroutinesLeak(t *testing.T) {
	runs := 100_000
	if testing.Short() {
		runs = 5_000
	}
	before := runtime.NumGoroutine()
	m := sim.NewMachine()
	inTheMiddle := func(t *sim.Task) {
		t.Go("t", func(t *sim.Task) {
			t.Step(sim.Op{Verb: "work"})
			t.Fail(sim.Bug, "failed")
		})
		t.Go("u", func(t *sim.Task) {
			for range 3 {
				t.Step(sim.Op{Verb: "work"})
			}
		})
		t.Explore()
	}
	most := 0
	for i := range runs {
		switch i % 4 {
		case 0:
			require.Equal(t, sim.Deadlock, m.Run(crossing{}, crossed).Failure.Kind)
		case 1:
			require.Equal(t, sim.Bug, m.Run(crossing{}, inTheMiddle).Failure.Kind)
		case 2:
			require.True(t, m.Run(giveUp{}, crossed).Abandoned)
		case 3:
			require.Nil(t, m.Run(sim.Default{}, crossed).Failure)
		}
		most = max(most, runtime.NumGoroutine())
	}
	require.LessOrEqual(t, most, before+8, "coroutines are used again")
	m.Close()
	for range 1000 { // a goroutine that has ended may be counted a little longer
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), before)
}

// TestTracingChangesNothing runs the same random schedules with and without a trace.
func TestTracingChangesNothing(t *testing.T) {
	a, b := sim.NewMachine(), sim.NewMachine()
	defer a.Close()
	defer b.Close()
	b.Trace(true)
	wa, wb := &walk{99}, &walk{99}
	for range 1000 {
		ra, rb := a.Run(wa, crossed), b.Run(wb, crossed)
		require.Equal(t, ra.Hash, rb.Hash)
		require.Equal(t, ra.Schedule(), rb.Schedule())
		require.Equal(t, ra.Failure == nil, rb.Failure == nil)
		require.NotEmpty(t, b.Rows())
		require.Empty(t, a.Rows())
	}
}
