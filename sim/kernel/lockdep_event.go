package kernel

import (
	"fmt"
	"math"
	"slices"

	"dmasim/sim"
)

// What is waited for need not be a lock: a completion, a fence, the last of some references.
// It has no holder. But what its signal depended on and could have been kept waiting itself
// comes after it: a lock that was taken on the way to the signal, an allocation, another wait.
// With the locks that are held where the event is waited for, that can make a ring.
//
// An event has no class, and such an edge leads from a lock to a lock, each by itself: whoever
// held this one waited, by way of the event, for that one. Of locks that are nested a place
// in the source says how, for all that it is ever given. What a signal turns out to
// depend on is no rule of any place: that the I/O on one buffer went on only after
// another buffer had moved says nothing of two waits for the same one. So a ring with such
// an edge is one of single locks throughout: it can come about with the very locks that were
// seen. What is documented holds for all locks of its classes there, too, and a map
// is one for all that it stands for.
//
// A lock that was taken on the way to the signal, and only before the wait began, tells nothing
// if there was a wait because of what was done then: of a fence that nobody has seen before. So
// it counts only if nothing orders the two, at each wait on the way. It counts all the
// same if whoever took it held a reference that the wait is for, since that is what the
// waiter has not looked at.

// SignalledBy adds the locks and waits on the way to the signal of what the map stands for,
// except for those of the given maps, which others look after.
func (t *Task) SignalledBy(m *LockMap, c *Cone, except ...*LockMap) {
	ld := &t.K.Lockdep
	if ld.Off {
		return
	}
	class := m.dep.class
	for i := range c.Notes {
		d := &c.Notes[i]
		if d.lock == nil || d.lock.class == class || !t.K.needed(c, d) {
			continue
		}
		to := d.lock.class
		if slices.ContainsFunc(except, func(e *LockMap) bool { return e.dep.class == to }) {
			continue
		}
		if !class.leadsTo(&to.lockNode) {
			t.addSignal(edge{from: &class.lockNode, to: &to.lockNode}, c, d)
		}
		if from := ld.node(&m.dep); !from.leadsTo(d.lock) {
			t.addSignal(edge{from: from, to: d.lock}, c, d)
		}
	}
}

// addSignal adds an edge from the map of an event to what its signal depended on.
func (t *Task) addSignal(made edge, c *Cone, d *Dep) {
	made.signal, made.use = true, use{d.Place(), d.Calls}
	e := t.K.Lockdep.link(made)
	if way := t.wayBack(e); way != nil {
		t.circularBy(c, d, e, way)
	}
}

// nested notes in the graph of single locks that d is waited for while h is held.
func (t *Task) nested(h *heldLock, d *lockDep) {
	ld := &t.K.Lockdep
	from, to := ld.node(h.lockDep), ld.node(d)
	if from == to || from.leadsTo(to) || h.class.context || d.class.context {
		return
	}
	e := ld.link(edge{from: from, to: to, held: h.place, use: t.use()})
	if way := t.wayBack(e); way != nil {
		t.circular(e, way, t.taking(d.name, h))
	}
}

// wayBack is what makes a ring of the edge. A ring of single locks goes through an event: the
// others are the business of the graph of classes.
func (t *Task) wayBack(e *edge) []*edge {
	ld := &t.K.Lockdep
	if e.to == &e.to.class.lockNode {
		return ld.way(e.to, e.from)
	}
	if ld.events == 0 {
		return nil
	}
	way := ld.way(e.to, e.from)
	if slices.ContainsFunc(way, func(e *edge) bool { return e.event != nil }) {
		return way
	}
	return nil
}

// waitedHolding looks at a wait that has ended, and during which locks were held.
func (t *Task) waitedHolding(op *sim.Op) {
	m := t.Machine()
	events := m.Events()
	if t.K.Lockdep.Off || op.Obj == nil || len(events) == 0 || ownMap(op.Obj) || noWait(op.Obj, op.Verb) {
		return
	}
	e := &events[len(events)-1]
	if e.Task != t.Task || e.Obj != op.Obj || e.Enabler < 0 { // it may have no event, see sim.Machine.Hide
		return
	}
	k := t.K
	w := &events[e.Enabler]
	root := part{task: w.Task, at: w.Op, by: -1}
	if !once(op.Obj) {
		root.ref = op.Obj
	}
	c := k.grow(&Cone{m: m, careful: true, wait: int32(len(events) - 1)}, root, int(e.Enabler), k.explored(m))
	for i := range c.Notes {
		d := &c.Notes[i]
		if d.Kind == NoteAlloc {
			t.reclaimMaps()
			if d.GFP&GFP_FS != 0 {
				t.eventEdges(op.Obj, k.Lockdep.node(&k.fsReclaim.dep), c, d)
			}
			t.eventEdges(op.Obj, k.Lockdep.node(&k.mmuNotifier.dep), c, d)
		} else if d.lock != nil {
			t.eventEdges(op.Obj, d.lock, c, d)
		}
	}
}

// ownMap tells whether waits for the object have a map, and so an order already.
func ownMap(o *sim.Object) bool {
	return o.Type == "fence" || o.Type == "work" || o.Type == "workqueue"
}

// eventEdges makes edges from the locks that are held to what an event that is waited for
// depended on.
func (t *Task) eventEdges(o *sim.Object, to *lockNode, c *Cone, d *Dep) {
	ld := &t.K.Lockdep
	for i := range t.held {
		h := &t.held[i]
		from := ld.node(h.lockDep)
		if h.class.context || from.leadsTo(to) {
			continue
		}
		if !t.K.needed(c, d) {
			return
		}
		w := &eventWait{"(" + o.Type + ")" + o.Name, t.use()}
		e := ld.link(edge{from: from, to: to, held: h.place, event: w, use: use{d.Place(), d.Calls}})
		ld.events++
		if from == to {
			t.circularBy(c, d, e, nil)
		} else if way := ld.way(to, from); way != nil {
			t.circularBy(c, d, e, way)
		}
	}
}

// circularBy reports a ring that is closed by what a signal depended on.
func (t *Task) circularBy(c *Cone, d *Dep, e *edge, way []*edge) {
	what := e.from.name
	if e.event != nil {
		what = e.event.name
	}
	detail := fmt.Sprintf("%s waits for %s", t.Task, what)
	var how []string
	if t.Tracing() {
		how = c.Chain(d)
	}
	t.circular(e, way, detail, how...)
}

// begun is what came before a wait began, by necessity.
type begun struct {
	// last is for each task, by its index, the last of its operations that came before, by
	// all that tells of an order.
	last []int32
	cone *Cone // by what the wait depended on
}

// needed tells whether what the cone has could have been done after each of the waits began by way of
// which it is in it.
func (k *Kernel) needed(c *Cone, d *Dep) bool {
	if c.wait >= 0 && !k.mayFollow(c, c.wait, d) { // as mostly
		return false
	}
	for n := d.part; n >= 0; n = c.parts[n].by {
		p := &c.parts[n]
		if p.how == woke && !k.mayFollow(c, p.from, d) {
			return false
		}
	}
	p := &c.parts[d.part]
	return p.ref == nil || p.kills || p.took || !named(p.ref) || p.how != created && p.how != handed && handedOver(c.m, p, d)
}

// mayFollow tells whether d could have been done after the wait began.
func (k *Kernel) mayFollow(c *Cone, wait int32, d *Dep) bool {
	e := &c.m.Events()[wait]
	switch {
	case d.Op >= e.Op:
		return true
	case d.Task == e.Task:
		return false
	}
	b := k.Deps.begun[wait]
	if b == nil {
		if k.Deps.begun == nil {
			k.Deps.begun = map[int32]*begun{}
		}
		b = &begun{}
		k.Deps.begun[wait] = b
	}
	if !c.parts[d.part].took {
		if b.last == nil {
			b.last = before(c.m, wait)
		}
		n := d.Task.Index()
		return n >= len(b.last) || d.Op > b.last[n]
	}
	if b.cone == nil {
		b.cone = k.coneOf(c.m, e.Task, int(wait)-1, e.Op, k.explored(c.m))
	}
	return !slices.ContainsFunc(b.cone.Notes, func(n Dep) bool { return n.Op == d.Op && n.Task == d.Task })
}

// before is for each task the last of its operations that came before the wait began. Not
// every operation has an event: those on what only one task touches may have none. So what a
// task did before its next event came before what that came before.
func before(m *sim.Machine, wait int32) []int32 {
	events, tasks := m.Events(), m.Tasks()
	last := make([]int32, len(tasks))
	t := events[wait].Task
	i := wait - 1
	for i >= 0 && events[i].Task != t && (events[i].Task != t.Parent() || int(events[i].Op) > t.BornOp()) {
		i--
	}
	if i >= 0 {
		for j, in := range m.Past(int(i)) {
			e := &events[j]
			if !in {
				continue
			}
			last[e.Task.Index()] = e.Op
			if e.Joins != nil {
				last[e.Joins.Index()] = math.MaxInt32
			}
		}
	}
	last[t.Index()] = events[wait].Op
	for i := len(tasks) - 1; i > 0; i-- {
		if p := tasks[i].Parent(); p != nil && last[i] > 0 {
			last[p.Index()] = max(last[p.Index()], int32(tasks[i].BornOp()))
		}
	}
	return last
}

// explored is the beginning of the explored phase: what the set-up did was before all else.
func (k *Kernel) explored(m *sim.Machine) Point {
	if m.Phase() == sim.PhaseSetup {
		return Point{}
	}
	p := &k.Deps.explored
	if p.event == 0 {
		p.event, _ = m.Explored()
		p.op = m.Events()[p.event].Op
		p.notes, _ = slices.BinarySearchFunc(k.Deps.notes, int32(p.event), func(n Note, e int32) int { return int(n.Event - e) })
	}
	return *p
}
