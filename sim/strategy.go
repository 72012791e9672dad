package sim

import "fmt"

// Strategy decides what is not determined. It lives over many runs of the same
// program.
type Strategy interface {
	// Next picks the task whose announced operation is granted; it must be one of
	// p.Enabled, which is never empty. The point is valid during the call only.
	Next(p *Point) *Task
	// Choose picks a value in [0,n) for a choice of t; n is at least 1.
	Choose(t *Task, n int) int
	// Done takes the result of a run, and tells whether there is another one.
	Done(r *Result) bool
}

// Point is a scheduling point.
type Point struct {
	// Step counts the points of a run from 1.
	Step int
	// Current is the task that ran last; it may have ended.
	Current *Task
	// CurrentEnabled tells whether Current is among Enabled: then picking another
	// is a preemption.
	CurrentEnabled bool
	// Enabled lists the tasks whose announced operation can be granted, in order
	// of creation.
	Enabled []*Task

	m *Machine
}

// Default is what happens if nobody decides otherwise: the current task goes on,
// or else the next enabled one after it in order of creation, cyclically.
func (p *Point) Default() *Task {
	if p.CurrentEnabled {
		return p.Current
	}
	return p.Enabled[p.first()]
}

// first is the index in Enabled where the default order begins.
func (p *Point) first() int {
	for i, t := range p.Enabled {
		if t.index >= p.Current.index {
			return i
		}
	}
	return 0
}

// Ordered appends the enabled tasks to buf in the default order: Default first,
// then the others cyclically in order of creation. The position of a task in it
// is its delay.
func (p *Point) Ordered(buf []*Task) []*Task {
	i := p.first()
	buf = append(buf, p.Enabled[i:]...)
	return append(buf, p.Enabled[:i]...)
}

// Events lists what was granted so far in this run.
func (p *Point) Events() []Event { return p.m.events }

// Abandon ends the run here, without a failure and without the auditors, for a
// strategy that sees that the run can only repeat what it knows. Next must return
// what Abandon returned.
func (p *Point) Abandon() *Task {
	p.m.abandoned = true
	return nil
}

// Fail ends the run with a failure, for a strategy that sees that the program breaks the
// rules. Next must return what Fail returned.
func (p *Point) Fail(kind Kind, format string, args ...any) *Task {
	p.m.fail(&Failure{Kind: kind, Message: fmt.Sprintf(format, args...), ByStrategy: true})
	return nil
}

// Default is the strategy that always follows the default rule, once.
type Default struct{}

func (Default) Next(p *Point) *Task       { return p.Default() }
func (Default) Choose(t *Task, n int) int { return 0 }
func (Default) Done(*Result) bool         { return false }
