package sim_test

import (
	"fmt"

	"dmasim/sim"
)

// counter is a shared variable: an object, which is its identity, and its value.
type counter struct {
	sim.Object
	n int
}

func newCounter(t *sim.Task, name string) *counter {
	c := &counter{}
	t.Own(&c.Object, "counter", name)
	return c
}

// load announces what it will do, and does it once it has been granted.
func (c *counter) load(t *sim.Task) int {
	t.Step(sim.Op{Verb: "load", Obj: &c.Object, Class: sim.Read})
	return c.n
}

func (c *counter) store(t *sim.Task, n int) {
	t.Step(sim.Op{Verb: "store", Obj: &c.Object, Class: sim.Write})
	c.n = n
}

// latch is a lock. It is its own guard: it can be taken when nobody holds it.
type latch struct {
	sim.Object
	holder *sim.Task
}

func newLatch(t *sim.Task, name string) *latch {
	l := &latch{}
	t.Own(&l.Object, "latch", name)
	return l
}

// Ready must not change anything. It is asked again whenever somebody could run.
func (l *latch) Ready(*sim.Task) bool { return l.holder == nil }

// Owners makes a deadlock report name the cycle.
func (l *latch) Owners(*sim.Task) []*sim.Task {
	if l.holder == nil {
		return nil
	}
	return []*sim.Task{l.holder}
}

func (l *latch) take(t *sim.Task) {
	t.Step(sim.Op{Verb: "take", Obj: &l.Object, Guard: l})
	l.holder = t
}

// try has no guard. That it only reads is known when it has failed.
func (l *latch) try(t *sim.Task) bool {
	t.Step(sim.Op{Verb: "try", Obj: &l.Object})
	if l.holder != nil {
		t.Did(sim.Read)
		return false
	}
	l.holder = t
	return true
}

// drop promises that nobody could take the latch just before.
func (l *latch) drop(t *sim.Task) {
	t.Step(sim.Op{Verb: "drop", Obj: &l.Object, Releases: true})
	l.holder = nil
}

// preemptAt is a strategy of one run: the default rule, but for one step.
type preemptAt struct {
	sim.Default
	step int
}

func (s preemptAt) Next(p *sim.Point) *sim.Task {
	if p.Step == s.step {
		return p.Ordered(nil)[1]
	}
	return p.Default()
}

// A program sets up, explores, and tears down. The rows of a run are its trace.
func ExampleMachine_Rows() {
	m := sim.NewMachine()
	defer m.Close()
	m.Trace(true)
	r := m.Run(preemptAt{step: 3}, func(t *sim.Task) {
		x := newCounter(t, "x") // set-up
		for range 2 {
			t.Go("adder", func(t *sim.Task) {
				t.At("ADD-1", fmt.Sprintf("x is %d", x.n)) // for the trace
				n := x.load(t)
				t.At("ADD-2", fmt.Sprintf("x becomes %d", n+1))
				x.store(t, n+1)
			})
		}
		t.Explore()
		if x.n != 2 { // tear-down
			t.Fail(sim.Bug, "x is %d after two additions", x.n)
		}
	})
	fmt.Println(r.Failure)
	fmt.Println("schedule:", r.Schedule())
	for _, row := range m.Rows() {
		if row.Phase == sim.PhaseExplore && row.Obj != nil {
			fmt.Printf("%d %s: %s %s; %s\n", row.Step, row.Task, row.Verb, m.ObjectName(row.Obj), row.Text)
		}
	}
	// Output:
	// bug: x is 1 after two additions
	// schedule: @3>2
	// 2 adder (task 1): load x; x is 0
	// 4 adder (task 2): load x; x is 0
	// 5 adder (task 2): store x; x becomes 1
	// 6 adder (task 1): store x; x becomes 1
}

// A guard that knows its owners makes a report out of a deadlock.
func ExampleOwned() {
	m := sim.NewMachine()
	defer m.Close()
	r := m.Run(preemptAt{step: 3}, func(t *sim.Task) {
		a, b := newLatch(t, "a"), newLatch(t, "b")
		t.Go("ab", func(t *sim.Task) { a.take(t); b.take(t); b.drop(t); a.drop(t) })
		t.Go("ba", func(t *sim.Task) { b.take(t); a.take(t); a.drop(t); b.drop(t) })
		t.Explore()
	})
	fmt.Println(r.Failure)
	for _, d := range r.Failure.Detail {
		fmt.Println(d)
	}
	// Output:
	// deadlock: ab waits for take b held by ba; ba waits for take a held by ab
	// INFO: ab (task 1) is blocked: take b, held by ba (task 2)
	// INFO: ba (task 2) is blocked: take a, held by ab (task 1)
}

// An operation that reaches a second object says so, as soon as it is granted.
func ExampleTask_Touch() {
	move := func(t *sim.Task, from, to *counter) {
		t.Step(sim.Op{Verb: "move", Obj: &from.Object})
		t.Touch(&to.Object, sim.Write)
		to.n, from.n = to.n+from.n, 0
	}
	m := sim.NewMachine()
	defer m.Close()
	m.Run(sim.Default{}, func(t *sim.Task) {
		x, y := newCounter(t, "x"), newCounter(t, "y")
		t.Go("mover", func(t *sim.Task) { move(t, x, y) })
		t.Explore()
	})
	for _, e := range m.Events() {
		if e.Verb == "move" {
			fmt.Println(m.ObjectName(e.Obj), "and", m.ObjectName(m.Extra(&e)[0].Obj))
		}
	}
	// Output: x and y
}

// What the outcome decides is announced as the strongest access and corrected.
func ExampleTask_Did() {
	m := sim.NewMachine()
	defer m.Close()
	m.Run(sim.Default{}, func(t *sim.Task) {
		l := newLatch(t, "l")
		t.Go("keeper", func(t *sim.Task) { l.take(t) })
		t.Go("trier", func(t *sim.Task) { l.try(t) })
		t.Explore()
	})
	for _, e := range m.Events() {
		if e.Verb == "try" {
			fmt.Println("a failed try is a read:", e.Class == sim.Read)
		}
	}
	// Output: a failed try is a read: true
}

// firstFails is a strategy of one run: the first choice has the value 1.
type firstFails struct {
	sim.Default
	chosen *bool
}

func (s firstFails) Choose(*sim.Task, int) int {
	first := !*s.chosen
	*s.chosen = true
	if first {
		return 1
	}
	return 0
}

// Whatever is not determined by the order of operations is a choice.
func ExampleTask_Choose() {
	m := sim.NewMachine()
	defer m.Close()
	r := m.Run(firstFails{chosen: new(bool)}, func(t *sim.Task) {
		t.Go("caller", func(t *sim.Task) {
			for i := range 2 {
				if t.Choose(2, "allocation fails") == 1 {
					fmt.Println("allocation", i, "failed")
				}
			}
		})
		t.Explore()
	})
	fmt.Println("schedule:", r.Schedule())
	// Output:
	// allocation 0 failed
	// schedule: ?0=1
}

// A timer fires when nothing else can run; one that is racing fires at any point; one
// that is there for recovery makes a stall of a state that only it would end.
func ExampleTask_After() {
	m := sim.NewMachine()
	defer m.Close()
	r := m.Run(sim.Default{}, func(t *sim.Task) {
		l := newLatch(t, "answer")
		l.holder = t
		t.Go("caller", func(t *sim.Task) {
			t.After(5_000_000_000, sim.Recovery, "watchdog", func(t *sim.Task) { l.drop(t) })
			l.take(t)
		})
		t.Explore()
	})
	fmt.Println(r.Failure)
	// Output: stall: caller waits for take answer, and only watchdog could end that
}

// An auditor runs at the normal end of a run, when all tasks have ended.
func ExampleMachine_Audit() {
	m := sim.NewMachine()
	defer m.Close()
	r := m.Run(sim.Default{}, func(t *sim.Task) {
		l := newLatch(t, "l")
		t.Machine().Audit(func() *sim.Failure {
			if l.holder != nil {
				return &sim.Failure{Kind: "left-locked", Message: l.holder.Name + " still holds the latch", Task: l.holder}
			}
			return nil
		})
		t.Go("forgetful", func(t *sim.Task) { l.take(t) })
		t.Explore()
	})
	fmt.Println(r.Failure)
	// Output: left-locked: forgetful still holds the latch
}
