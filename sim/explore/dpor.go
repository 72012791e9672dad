package explore

import "dmasim/sim"

// DPOR is optimal dynamic partial order reduction: depth-first search that runs
// one execution of every Mazurkiewicz trace of the program, deadlocked ones
// included, and no other.
//
// The route is that of Abdulla, Aronis, Jonsson and Sagonas ("Source Sets: A
// Foundation for Optimal Dynamic Partial Order Reduction", JACM 2017, section 6):
// after every complete execution E its races are reversed. For a race between
// events e and f, the sequence v of all events after e that do not happen after
// it, followed by f, is to be explored before e was; unless a sleeping task could
// begin v, in which case that was done. What is to be explored at a node is kept
// in a wakeup tree. Sleep sets see to it that no trace is run twice; the wakeup
// trees, that no execution is begun that could only repeat another one. It has to
// be all of v, and all races of E, also those of the prefix that E shares with the
// execution before: with shorter sequences two reversals can each be left out
// because the other one seems to stand for it, as with six philosophers.
//
// Some things go beyond the paper.
//
// Blocking operations. An event that enabled f cannot be reversed with f. So a
// race is not only a pair without an event between them in the happens-before
// order: from f the search goes back over the conflicting events, passes over
// those before which f was disabled, and stops at the first that f could have
// preceded. Between critical sections that is lock against lock. Whether f was
// enabled before e is known if f was announced before e, which the order of
// exploration tries to bring about, or if e is declared to release
// ([sim.Op.Releases]). If it is not known, v is put into the tree with a doubt: if
// f is not enabled there, the run is given up and counted in Blocked, and what v
// stood for is put in again. Operations that commute with each other, and not with
// one that waits, are tried before it in every combination. At a deadlock the
// operations that wait take part as if they had run.
//
// Outcomes. A compare-and-swap or a trylock that is run earlier may succeed where
// it failed, so in v it counts as what it foresaw in that state (sim.Op.Foresee), or
// else as what it announced. If that was too much, what it would have woken is woken
// all the same; then, and only then, can a trace be run more than once. If an operation
// turns out to touch more than it did before, the search begins again with that
// knowledge.
//
// Choices. An event is labelled with the values of the choices that its task made
// after it, and sleeps with its label. All labels of an event are explored before
// another one is taken at its node. An event touches whatever it may touch under
// any of its labels, which also makes for traces that are run more than once, if
// the labels differ in that.
//
// Timers that fire when nothing else can run happen after everything before them
// and before everything after them. An operation that waited when one fired may all the
// same be granted before what it waited for was taken.
//
// Left out: wakeup trees take memory that is linear in the traces still to be
// visited from the current path. That is small in practice, but there are
// programs for which it is exponential in the number of tasks.
type DPOR struct {
	cast
	m      *sim.Machine
	path   []node // nodes below depth have an event
	depth  int    // events granted in this run
	fixed  int    // events that this run repeats, the new one at its end included
	fresh  int    // events whose accesses are known from an earlier run
	choice int    // choices made after the last event
	carry  []*waking

	trace

	// fickle has the verbs of operations that do not always touch what they
	// announce, and no more.
	fickle map[string]bool
	// restart is set when something was learned that the search relied on not to
	// be so.
	restart bool
	// sites has what events with choices touch, whatever is chosen.
	sites   map[site][]access
	whole   int // events of the path that a run went through to its end
	blocked int
	done    bool

	// partial is set if not all orders of commuting operations before a waiting one
	// were tried.
	partial bool

	v            []*step
	alt          step
	drop, others []int32
}

// node is a state on the current path, and the event that was picked there.
type node struct {
	event
	// sleep is what need not be run here any more: what slept before, and what
	// was explored here.
	sleep []step
	wake  []*waking
	// refuted has the signatures of the reversals that were tried here and turned
	// out to be impossible.
	refuted []uint64
	// from is the branch that the event was taken from, nil if it was free, and
	// want the beginning of the label that it is to have.
	from *waking
	// awake is set if from was thought to touch more than the event did: what that
	// would have woken is woken all the same, since whoever put it there relied
	// on that.
	awake bool
	want  []pick
	// foreseen has the class of announced operations that know theirs in this state.
	foreseen []foreseen
	enabled  int // number of enabled tasks, to notice a program that is not deterministic
}

// foreseen is what an announced operation would be.
type foreseen struct {
	task  int32
	class sim.Class
}

// NewDPOR returns the search.
func NewDPOR() *DPOR {
	d := &DPOR{}
	d.barrier = -1
	return d
}

func (d *DPOR) Name() string { return "dpor" }

// Covered is All once the search has come to its end, unless more operations
// commuted with each other before one that waits than were tried.
func (d *DPOR) Covered() Coverage {
	if d.done && !d.partial {
		return Coverage{Bound: All}
	}
	return Coverage{}
}

// Blocked counts the runs that were given up, since all that could go on slept or
// because an operation of which that was in doubt was not enabled. The number
// depends on the order of exploration; nothing should rely on it.
func (d *DPOR) Blocked() int { return d.blocked }

func (d *DPOR) Next(p *sim.Point) *sim.Task {
	i := d.depth
	if i == 0 {
		d.begin(p)
	}
	d.meet(i)
	if i > d.fresh {
		d.observe(i-1, p.Events())
	}
	if i >= d.fixed {
		switch d.enter(i, p) {
		case useless:
			d.blocked++
			return p.Abandon()
		case impossible:
			return p.Fail(sim.Misuse, "dpor: at step %d a task cannot go on that could before operations which declared no conflict were swapped; an operation does not declare all that it touches", p.Step)
		}
	}
	n := &d.path[i]
	if i < d.fixed && n.enabled != len(p.Enabled) {
		return p.Fail(sim.Nondeterminism, "at step %d of a repeated schedule %d tasks can go on, and there were %d before", p.Step, len(p.Enabled), n.enabled)
	}
	if d.restart {
		return p.Abandon()
	}
	n.raw = len(p.Events())
	t := d.byID[n.task]
	if i >= d.fresh {
		n.barrier = t.Quiet()
		op, _ := t.Pending()
		n.announced, n.releases, n.awake, n.also = op.Class, op.Releases, false, op.Also != nil
		if n.also {
			n.alsoObj = d.object(op.Also)
		}
	}
	d.depth++
	d.choice = 0
	return t
}

// begin starts a run.
func (d *DPOR) begin(p *sim.Point) {
	d.m = p.Current.Machine()
	d.seen = 0
}

// meet numbers the tasks that were created by the last event.
func (d *DPOR) meet(depth int) {
	d.cast.meet(d.m, depth-1)
	for len(d.last) < len(d.byID) {
		d.addTask()
	}
}

// verdict says whether a run can go on.
type verdict uint8

const (
	going verdict = iota
	useless
	impossible
)

// enter makes the node at depth i and picks its event.
func (d *DPOR) enter(i int, p *sim.Point) verdict {
	if i == len(d.path) {
		d.path = append(d.path, node{})
	}
	n := &d.path[i]
	n.sleep, n.refuted = n.sleep[:0], n.refuted[:0]
	n.wake = append(n.wake[:0], d.carry...)
	d.carry = nil
	n.enabled = len(p.Enabled)
	n.foreseen = n.foreseen[:0]
	for _, t := range p.Enabled {
		if op, _ := t.Pending(); op.Foresee != nil {
			n.foreseen = append(n.foreseen, foreseen{d.names.known(t.Index()), op.Foresee.ClassNow(t)})
		}
	}
	if i > 0 {
		last := &d.path[i-1]
		for k := range last.sleep {
			if z := &last.sleep[k]; z.task != last.task && !last.barrier && !z.conflicts(&last.step) && !(last.awake && z.conflicts(&last.from.step)) {
				n.sleep = append(n.sleep, *z)
			}
		}
	}
	d.ready.clear(i)
	for _, t := range p.Enabled {
		d.ready.set(i, d.names.known(t.Index()))
	}
	if len(n.wake) > 0 {
		return d.follow(i)
	}
	t := d.free(n, p)
	if t == nil {
		d.whole = i // what is left is known from elsewhere
		return useless
	}
	n.task, n.picks, n.want, n.from = d.names.known(t.Index()), n.picks[:0], nil, nil
	return going
}

// follow takes the first branch of the wakeup tree of node i that is possible.
func (d *DPOR) follow(i int) verdict {
	n := &d.path[i]
	for len(n.wake) > 0 {
		b := n.wake[0]
		n.wake = n.wake[:copy(n.wake, n.wake[1:])]
		if d.ready.has(i, b.task) {
			n.task, n.picks, n.want, n.from = b.task, n.picks[:0], b.picks, b
			d.carry = b.kids
			return going
		}
		if b.doubt == nil {
			return impossible
		}
		home := &d.path[b.doubt.node]
		home.refuted = append(home.refuted, b.doubt.past)
		for _, s := range b.doubt.waiting {
			d.v = refer(d.v, s.steps)
			if at, _ := weakInitial(&b.step, d.v); at < 0 {
				n.wake = insert(n.wake, d.v, s.doubt)
			}
		}
	}
	return useless
}

// relabel takes the task that ran at n once more, if it made choices and was not
// run with all of their values yet. That has to be done before another task is
// taken: a task sleeps with all of its labels or with none.
func (d *DPOR) relabel(n *node) bool {
	if len(n.picks) == 0 || covered(n.sleep, n.task, nil) {
		return false
	}
	for k, b := range n.wake {
		if b.task == n.task {
			n.wake = append(n.wake[:k], n.wake[k+1:]...)
			n.picks, n.want, n.from = n.picks[:0], b.picks, b
			d.carry = b.kids
			return true
		}
	}
	n.picks, n.want, n.from = n.picks[:0], nil, nil // Choose finds the values
	return true
}

// free picks a task that is not asleep, when no wakeup tree says which. Any would
// do. Operations on nothing shared go first, and those that may enable a blocking
// one go last, so that as many tasks as possible have announced their blocking
// operation by then; otherwise the task that is running goes on.
func (d *DPOR) free(n *node, p *sim.Point) *sim.Task {
	var best *sim.Task
	rank := 1 << 10
	for _, t := range p.Enabled {
		id := d.names.known(t.Index())
		r := 0
		asleep := false
		for k := range n.sleep {
			if n.sleep[k].task == id {
				asleep = true
				break
			}
		}
		if asleep {
			if covered(n.sleep, id, nil) {
				continue
			}
			r += 8
		}
		op, _ := t.Pending()
		switch {
		case op.Obj == nil && op.Guard == nil:
		case op.Guard == nil && d.guards[d.object(op.Obj)]:
			r += 4
		default:
			r += 2
		}
		if t != p.Current {
			r++
		}
		if r < rank {
			best, rank = t, r
		}
	}
	return best
}

func (d *DPOR) Choose(t *sim.Task, count int) int {
	i := d.depth - 1
	n := &d.path[i]
	k := d.choice
	d.choice++
	if i < d.fresh {
		return int(n.picks[k].value)
	}
	v := int32(0)
	if k < len(n.want) && n.want[k].value < int32(count) {
		v = n.want[k].value
	} else {
		n.picks = append(n.picks, pick{0, int32(count)})
		for v < int32(count)-1 {
			n.picks[k].value = v
			if !covered(n.sleep, n.task, n.picks) {
				break
			}
			v++
		}
		n.picks = n.picks[:k]
	}
	n.picks = append(n.picks, pick{v, int32(count)})
	return int(v)
}

func (d *DPOR) Done(r *sim.Result) bool {
	n := d.depth
	d.depth = 0
	if n == 0 || n < d.fixed {
		d.done = n == 0 && d.fixed == 0
		return false
	}
	nodes := n
	if r.Abandoned && !d.restart {
		nodes = n + 1
	} else if !d.restart {
		d.meet(n)
		if n > d.fresh {
			d.observe(n-1, d.m.Events())
		}
		if !d.restart {
			d.analyse(n, r.Failure != nil)
			d.whole = n
		}
	}
	if d.restart {
		d.undo(d.path, 0)
		d.carry, d.restart = nil, false
		d.fixed, d.fresh, d.whole = 0, 0, 0
		return true
	}
	return d.backtrack(nodes)
}

// backtrack looks for the deepest of the nodes at which something is left to do.
// An event through which a run came to its end sleeps from now on: all its
// continuations are explored. The events of an attempt that failed do not.
func (d *DPOR) backtrack(nodes int) bool {
	d.carry = nil
	for i := nodes - 1; i >= 0; i-- {
		n := &d.path[i]
		if i < d.whole {
			n.sleep = append(n.sleep, n.step.clone())
		} else if i < nodes-1 && n.from != nil && n.from.needed {
			n.wake = append(n.wake, &waking{step: n.from.step})
		}
		d.undo(d.path, i)
		if !(i < d.whole && d.relabel(n)) && d.follow(i) != going {
			continue
		}
		d.fixed, d.fresh, d.whole = i+1, i, min(d.whole, i)
		return true
	}
	d.done = true
	return false
}
