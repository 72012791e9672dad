package explore_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/report"
)

// cell is a shared number.
type cell struct {
	sim.Object
	n int
}

func newCell(t *sim.Task, name string) *cell {
	c := &cell{}
	t.Own(&c.Object, "cell", name)
	return c
}

func (c *cell) get(t *sim.Task) int {
	t.Step(sim.Op{Verb: "get", Obj: &c.Object, Class: sim.Read})
	return c.n
}

func (c *cell) set(t *sim.Task, n int) {
	t.Step(sim.Op{Verb: "set", Obj: &c.Object})
	c.n = n
}

// bump adds without looking: bumps commute with each other, and with nothing else.
func (c *cell) bump(t *sim.Task, class sim.Class) {
	t.Step(sim.Op{Verb: "bump", Obj: &c.Object, Class: class})
	c.n++
}

// fork is a lock that tells who holds it.
type fork struct {
	sim.Object
	by *sim.Task
}

func newFork(t *sim.Task, name string) *fork {
	f := &fork{}
	t.Own(&f.Object, "fork", name)
	return f
}

func (f *fork) Ready(*sim.Task) bool { return f.by == nil }
func (f *fork) Owners(*sim.Task) []*sim.Task {
	if f.by == nil {
		return nil
	}
	return []*sim.Task{f.by}
}

func (f *fork) lock(t *sim.Task) {
	t.Step(sim.Op{Verb: "lock", Obj: &f.Object, Guard: f})
	f.by = t
}

func (f *fork) unlock(t *sim.Task) {
	t.Step(sim.Op{Verb: "unlock", Obj: &f.Object, Releases: true})
	f.by = nil
}

// racy adds two times 1 to a cell, without a lock.
func racy(t *sim.Task) {
	x := newCell(t, "x")
	for range 2 {
		t.Go("adder", func(t *sim.Task) { x.set(t, x.get(t)+1) })
	}
	t.Explore()
	if x.n != 2 {
		t.Fail(sim.Bug, "x is %d", x.n)
	}
}

// locked is racy with a lock.
func locked(n int) func(*sim.Task) {
	return func(t *sim.Task) {
		x, l := newCell(t, "x"), newFork(t, "l")
		for range n {
			t.Go("adder", func(t *sim.Task) {
				l.lock(t)
				x.set(t, x.get(t)+1)
				l.unlock(t)
			})
		}
		t.Explore()
		if x.n != n {
			t.Fail(sim.Bug, "x is %d", x.n)
		}
	}
}

// crossed takes two locks in both orders.
func crossed(t *sim.Task) {
	a, b := newFork(t, "a"), newFork(t, "b")
	t.Go("ab", func(t *sim.Task) { a.lock(t); b.lock(t); b.unlock(t); a.unlock(t) })
	t.Go("ba", func(t *sim.Task) { b.lock(t); a.lock(t); a.unlock(t); b.unlock(t) })
	t.Explore()
}

// A lost update: two tasks add 1, and the sum is 1.
func Example() {
	rep := explore.Run(context.Background(), func(t *sim.Task) {
		x := newCell(t, "x")
		for range 2 {
			t.Go("adder", func(t *sim.Task) { x.set(t, x.get(t)+1) })
		}
		t.Explore()
		if x.n != 2 {
			t.Fail(sim.Bug, "x is %d", x.n)
		}
	}, explore.NewDPOR(), explore.Options{})
	defer rep.Found.Machine.Close()
	fmt.Println(rep.Found.Failure)
	fmt.Println("schedule:", rep.Found.Schedule)
	// Output:
	// bug: x is 1
	// schedule: @3>2
}

func Example_deadlock() {
	rep := explore.Run(context.Background(), crossed, explore.NewDPOR(), explore.Options{})
	defer rep.Found.Machine.Close()
	fmt.Println(rep.Found.Failure)
	for _, line := range rep.Found.Failure.Detail {
		fmt.Println(line)
	}
	fmt.Println("schedule:", rep.Found.Schedule)
	// Output:
	// deadlock: ab waits for lock b held by ba; ba waits for lock a held by ab
	// INFO: ab (task 1) is blocked: lock b, held by ba (task 2)
	//   Call trace: explore_test.(*fork).lock <- explore_test.crossed
	// INFO: ba (task 2) is blocked: lock a, held by ab (task 1)
	//   Call trace: explore_test.(*fork).lock <- explore_test.crossed
	// schedule: @3>2
}

// A pass is worth what was covered. Three critical sections have six orders.
func ExampleDPOR() {
	rep := explore.Run(context.Background(), locked(3), explore.NewDPOR(), explore.Options{})
	fmt.Println("found:", rep.Found != nil)
	fmt.Println("covered:", rep.Coverage)
	fmt.Println("executions:", rep.Executions)
	// Output:
	// found: false
	// covered: all
	// executions: 6
}

// Operations that are declared to commute are run in one order. As writes, the three
// have six.
func ExampleDPOR_commute() {
	for _, class := range []sim.Class{sim.Write, sim.Commute} {
		rep := explore.Run(context.Background(), func(t *sim.Task) {
			x := newCell(t, "x")
			for range 3 {
				t.Go("adder", func(t *sim.Task) { x.bump(t, class) })
			}
			t.Explore()
		}, explore.NewDPOR(), explore.Options{})
		fmt.Println(rep.Executions, rep.Coverage)
	}
	// Output:
	// 6 all
	// 1 all
}

// What is too large to be covered completely is covered up to a bound.
func ExampleDeepen() {
	bound := explore.Coverage{Bound: explore.Preemptions, N: 1}
	rep := explore.Run(context.Background(), locked(4), explore.NewDeepen(bound), explore.Options{})
	fmt.Println("found:", rep.Found != nil)
	fmt.Println("covered:", rep.Coverage)
	// Output:
	// found: false
	// covered: preemptions<=1
}

// A schedule runs again on a machine, with its trace.
func ExampleReplay() {
	m := sim.NewMachine()
	defer m.Close()
	m.Trace(true)
	schedule, err := sim.ParseSchedule("@3>2")
	if err != nil {
		panic(err)
	}
	r := m.Run(explore.NewReplay(schedule), racy)
	fmt.Println(r.Failure)
	for _, row := range m.Rows() {
		if row.Phase == sim.PhaseExplore && row.Obj != nil {
			fmt.Println(row.Step, row.Task, row.Verb, m.ObjectName(row.Obj))
		}
	}
	// Output:
	// bug: x is 1
	// 2 adder (task 1) get x
	// 4 adder (task 2) get x
	// 5 adder (task 2) set x
	// 6 adder (task 1) set x
}

// A schedule that the program cannot follow any more says where.
func ExampleReplay_diverged() {
	m := sim.NewMachine()
	defer m.Close()
	schedule, err := sim.ParseSchedule("@3>7")
	if err != nil {
		panic(err)
	}
	replay := explore.NewReplay(schedule)
	m.Run(replay, racy)
	fmt.Println(replay.Diverged)
	// Output: step 3: recorded a switch to task 7, which cannot run now; enabled: adder (task 1) about to set x, adder (task 2) about to start
}

// TestLocked is all that a test needs.
func TestLocked(t *testing.T) { explore.Check(t, locked(3)) }

// TestLockedBounded promises less than everything, and has a budget.
func TestLockedBounded(t *testing.T) {
	explore.Check(t, locked(3),
		explore.Using(explore.NewDeepen(explore.Coverage{Bound: explore.Preemptions, N: 2})),
		explore.Within(explore.Options{Executions: 10_000}))
}

// TestLockedDiagram would draw a failure with a column for each task.
func TestLockedDiagram(t *testing.T) {
	explore.Check(t, locked(2), explore.ShowWith(func(f *explore.Found) string {
		var b strings.Builder
		_ = report.Text(&b, report.Input{Scenario: t.Name(), Design: "locked", Found: f})
		return b.String()
	}))
}
