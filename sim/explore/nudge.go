package explore

import "dmasim/sim"

// Nudge departs from the default rule relative to it: at a step, pass over so many
// tasks of the default order. Unlike a switch to a task by name it is always possible,
// which makes lists of nudges good to draw at random and to shrink.
type Nudge struct {
	// Step is the scheduling point, from 1.
	Step int
	// Delay is the number of tasks to pass over, modulo the number that is enabled.
	Delay int
}

// Nudges is the strategy of one run that follows a list of nudges, in order of steps,
// and a list of values for its choices, 0 where the list ends.
type Nudges struct {
	List   []Nudge
	Values []int

	next, choice int
	buf          []*sim.Task
}

func (n *Nudges) Name() string          { return "nudges" }
func (n *Nudges) Covered() Coverage     { return Coverage{} }
func (n *Nudges) Done(*sim.Result) bool { return false }

func (n *Nudges) Next(p *sim.Point) *sim.Task {
	for n.next < len(n.List) && n.List[n.next].Step < p.Step {
		n.next++
	}
	if n.next == len(n.List) || n.List[n.next].Step != p.Step {
		return p.Default()
	}
	n.buf = p.Ordered(n.buf[:0])
	return n.buf[n.List[n.next].Delay%len(n.buf)]
}

func (n *Nudges) Choose(t *sim.Task, values int) int {
	if n.choice == len(n.Values) {
		return 0
	}
	n.choice++
	return n.Values[n.choice-1] % values
}
