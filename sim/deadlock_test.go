package sim_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

// event is something that nobody holds: it is waited for until somebody sets it.
type event struct {
	sim.Object
	set bool
}

func newEvent(t *sim.Task, name string) *event {
	e := &event{}
	t.Own(&e.Object, "event", name)
	return e
}

func (e *event) Ready(*sim.Task) bool { return e.set }
func (e *event) wait(t *sim.Task)     { t.Step(sim.Op{Verb: "wait", Obj: &e.Object, Guard: e}) }

// crowd waits for the end of several tasks at once.
type crowd []*sim.Task

func (c crowd) Ready(*sim.Task) bool {
	for _, t := range c {
		if !t.Done() {
			return false
		}
	}
	return true
}
func (c crowd) Owners(*sim.Task) []*sim.Task { return c }

func TestHangs(t *testing.T) {
	for name, c := range map[string]struct {
		kind    sim.Kind
		message string
		body    func(t *sim.Task)
	}{
		"alone": {sim.LostWakeup, "waiter waits for wait e, and nobody is left who could end that", func(t *sim.Task) {
			e := newEvent(t, "e")
			t.Go("waiter", e.wait)
		}},
		"two for the same": {sim.LostWakeup, "one waits for wait e", func(t *sim.Task) {
			e := newEvent(t, "e")
			t.Go("one", e.wait)
			t.Go("two", e.wait)
		}},
		"each may be the other's": {sim.Deadlock, "nobody can wake one, two", func(t *sim.Task) {
			e, f := newEvent(t, "e"), newEvent(t, "f")
			t.Go("one", func(t *sim.Task) { e.wait(t); f.set = true })
			t.Go("two", func(t *sim.Task) { f.wait(t); e.set = true })
		}},
		"behind one that waits": {sim.Deadlock, "nobody can wake one, two", func(t *sim.Task) {
			a, _ := mutexes(t)
			e := newEvent(t, "e")
			t.Go("one", func(t *sim.Task) { a.lock(t); e.wait(t) })
			t.Go("two", func(t *sim.Task) { a.lock(t); e.set = true })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, func(t *sim.Task) { c.body(t); t.Explore() })
			require.NotNil(t, r.Failure)
			require.Equal(t, c.kind, r.Failure.Kind, r.Failure.Message)
			require.Contains(t, r.Failure.Message, c.message)
			require.True(t, r.Failure.Kind.Hangs())
		})
	}
}

// What was created and never started is not blocked.
func TestNeverExplored(t *testing.T) {
	r := run(t, func(t *sim.Task) { t.Go("idle", func(*sim.Task) {}) })
	require.NotNil(t, r.Failure)
	require.Equal(t, sim.Misuse, r.Failure.Kind)
	require.Contains(t, r.Failure.Message, "without Explore")
}

// A task that waits for several waits for each of them: the ring may go through any.
func TestRingThroughSecondOwner(t *testing.T) {
	r := run(t, func(t *sim.Task) {
		a, _ := mutexes(t)
		e := newEvent(t, "e")
		first := t.Go("first", e.wait)
		var third *sim.Task
		t.Go("second", func(t *sim.Task) {
			a.lock(t)
			t.Step(sim.Op{Verb: "wait for both", Guard: crowd{first, third}})
		})
		third = t.Go("third", a.lock)
		t.Explore()
	})
	require.Equal(t, sim.Deadlock, r.Failure.Kind)
	require.Equal(t, "second waits for wait for both held by third; third waits for lock a held by second", r.Failure.Message)
	require.Contains(t, r.Failure.Detail[1], "held by first (task 1), third (task 3)")
}

// The chain of calls is told where the trace is kept, and changes nothing else.
func TestHungTasksTellTheirCalls(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	plain := *m.Run(crossing{}, crossed)
	m.Trace(true)
	r := m.Run(crossing{}, crossed)
	require.Equal(t, plain.Hash, r.Hash)
	require.Equal(t, plain.Failure.Message, r.Failure.Message)
	require.Len(t, plain.Failure.Detail, 2)
	require.Equal(t, []string{
		"INFO: ab (task 1) is blocked: lock b, held by ba (task 2)",
		"  Call trace: sim_test.(*mutex).lock <- sim_test.crossed",
		"INFO: ba (task 2) is blocked: lock a, held by ab (task 1)",
		"  Call trace: sim_test.(*mutex).lock <- sim_test.crossed",
	}, r.Failure.Detail)
}

func TestCallChain(t *testing.T) {
	var got []string
	run(t, func(t *sim.Task) { middle(func() { got = sim.CallChain() }) })
	require.Equal(t, []string{"sim_test.TestCallChain", "sim_test.middle", "sim_test.TestCallChain"}, got)
}

//go:noinline
func middle(f func()) { f() }
