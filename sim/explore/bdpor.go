package explore

import (
	"slices"

	"dmasim/sim"
)

// BoundedDPOR is dynamic partial order reduction within a number of preemptions: for
// every schedule with at most that many it runs one of the same Mazurkiewicz trace,
// deadlocks included, that has at most that many, too. It may run several of one trace,
// but never a schedule twice, and never one that exceeds the bound: it does no more runs
// than depth-first search within the same bound.
//
// It is the algorithm of Coons, Musuvathi and McKinley ("Bounded Partial-Order
// Reduction", OOPSLA 2013) for the preemption bound, which in turn is that of Flanagan
// and Godefroid ("Dynamic Partial-Order Reduction for Model Checking Software", POPL
// 2005) with more backtracking. At every node a set of tasks is explored, at first the
// task that is running alone if it can go on, since that costs nothing. If an event e of
// one task and a later operation of another task u conflict, and e does not happen
// before what u did last, u is added to the set of the node at which e was picked; and,
// this is what the bound takes, to that of the node at which the uninterrupted block of
// e's task began. If u is not enabled there, all tasks that are enabled are added.
//
// Why that is complete. Let w be what a schedule within the bound does from a node on.
// Some task of the node's set has an event in w, or w were not complete; let u be the
// first such task, a the part of w before it, and b the block of u there. If nothing in
// b conflicts with a, nor with what the tasks in a wait to do next, then b can be moved
// before a: it is of the same trace, whoever is enabled in a is as before, so the same
// switches are preemptions, and the switches around b are no more than they were, since
// either u runs on for free, or the first task of a costs as much as u. If there is such a
// conflict, it shows in a run that begins with u's block and goes on with a, and then the
// task of a that it is with was added to the set, against the choice of u. For the same
// reason conflicts with operations that were never granted count, as do those of lock
// with unlock, and of a join with the last event of the task that it waits for: that they
// cannot be reversed does not matter, they decide what is a preemption.
//
// The argument above, not the letter of the paper, decides about the details. Races are
// looked for between all pairs of events, not only with the latest event that conflicts:
// what would bring the earlier ones to light later may exceed the bound. There are no
// sleep sets, for the same reason: what they leave out was explored before, but perhaps
// at a higher price.
//
// All values of a choice are explored. A timer that fires when nothing else can run needs
// no care: as long as the task that would go first is enabled it does not fire, so that
// what is moved is never moved across it.
type BoundedDPOR struct {
	bound int
	path  []boundedNode
	depth int // events granted in this run
	fixed int // events that this run repeats, the new one at its end included
	// preemptions and choice count those of this run, and the choices since its last
	// event.
	preemptions, choice int

	m *sim.Machine
	cast
	last []int32 // by number, the last event so far; for analyse

	cut, done bool
}

// boundedNode is a state on the current path, and the event that was picked there.
type boundedNode struct {
	// enabled lists the tasks that can go on, in the default order, and current is
	// the one among them that ran last, -1 if it is not.
	enabled []int32
	current int32
	// spent is the number of preemptions before this node.
	spent int
	// todo are the tasks that have to be explored here, and tried those that were, or
	// are.
	todo, tried []int32
	picks       []pick
	raw         int // the event's index among those of the machine
	boundedOp
	// clock says for each task how far one has to go to be before this event: the
	// event of task t with index e happens before it, or is it, if e < clock[t].
	clock []int32
}

// NewBoundedDPOR returns the search of all schedules with at most n preemptions.
func NewBoundedDPOR(n int) *BoundedDPOR { return &BoundedDPOR{bound: n} }

func (d *BoundedDPOR) Name() string { return "dpor" }

// Restart forgets everything.
func (d *BoundedDPOR) Restart() { *d = *NewBoundedDPOR(d.bound) }

// Covered is the bound once the search has come to its end, or All if nothing that it
// had to explore was beyond the bound.
func (d *BoundedDPOR) Covered() Coverage {
	switch {
	case !d.done:
		return Coverage{}
	case !d.cut:
		return Coverage{Bound: All}
	}
	return Coverage{Preemptions, d.bound}
}

func (d *BoundedDPOR) Next(p *sim.Point) *sim.Task {
	i := d.depth
	if i == 0 {
		d.m, d.preemptions, d.seen = p.Current.Machine(), 0, 0
	}
	d.meet(d.m, d.depth-1)
	if i == len(d.path) {
		d.enter(p)
	}
	n := &d.path[i]
	if len(n.enabled) != len(p.Enabled) {
		return p.Fail(sim.Nondeterminism, "at step %d of a repeated schedule %d tasks can go on, and there were %d before", p.Step, len(p.Enabled), len(n.enabled))
	}
	n.spent = d.preemptions
	d.preemptions += n.price(n.task)
	n.raw = len(p.Events())
	d.depth++
	d.choice = 0
	return d.byID[n.task]
}

// enter makes the node at the end of the path. The first of the default order costs no
// preemption.
func (d *BoundedDPOR) enter(p *sim.Point) {
	n := boundedNode{current: -1}
	for _, t := range p.Ordered(nil) {
		n.enabled = append(n.enabled, d.names.known(t.Index()))
	}
	if p.CurrentEnabled {
		n.current = n.enabled[0]
	}
	n.task = n.enabled[0]
	n.tried = append(n.tried, n.task)
	d.path = append(d.path, n)
}

// price is the number of preemptions that it takes to pick a task.
func (n *boundedNode) price(task int32) int {
	if n.current < 0 || n.current == task {
		return 0
	}
	return 1
}

// request asks for a task to be explored at the node, or for all that are enabled if it
// is not.
func (n *boundedNode) request(task int32) {
	if !slices.Contains(n.enabled, task) {
		n.todo = append(n.todo[:0], n.enabled...)
	} else if !slices.Contains(n.todo, task) {
		n.todo = append(n.todo, task)
	}
}

func (d *BoundedDPOR) Choose(t *sim.Task, count int) int {
	n := &d.path[d.depth-1]
	if d.choice == len(n.picks) {
		n.picks = append(n.picks, pick{0, int32(count)})
	}
	v := n.picks[d.choice].value
	d.choice++
	return int(v)
}

func (d *BoundedDPOR) Done(*sim.Result) bool {
	if d.depth < len(d.path) { // not the program that the path was made with
		return false
	}
	if d.depth > 0 {
		d.meet(d.m, d.depth-1)
		d.analyse()
	}
	d.depth = 0
	return d.backtrack()
}

// backtrack goes to the deepest node at which something is left to do.
func (d *BoundedDPOR) backtrack() bool {
	for len(d.path) > 0 {
		n := &d.path[len(d.path)-1]
		if n.another(d.bound, &d.cut) {
			d.fixed = len(d.path)
			return true
		}
		d.path = d.path[:len(d.path)-1]
	}
	d.done = true
	return false
}

// another moves on to the next values of the choices of the event, or to the next task.
func (n *boundedNode) another(bound int, cut *bool) bool {
	for k := len(n.picks) - 1; k >= 0; k-- {
		if p := &n.picks[k]; p.value+1 < p.of {
			p.value++
			n.picks = n.picks[:k+1]
			return true
		}
	}
	n.picks = n.picks[:0]
	for _, t := range n.todo {
		switch {
		case slices.Contains(n.tried, t):
		case n.spent+n.price(t) > bound:
			*cut = true
		default:
			n.task = t
			n.tried = append(n.tried, t)
			return true
		}
	}
	return false
}
