package kernel

import (
	"fmt"
	"slices"

	"dmasim/sim"
)

// What is waited for need not be a lock: a completion, a fence, the last of some references.
// It has no holder. But what its signal depended on and could have been kept waiting itself
// comes after it: a lock that was taken on the way to the signal, an allocation, another wait.
// With the locks that are held where the event is waited for, that can make a ring.
//
// A lock that was taken on the way to the signal, and only before the waiter took its own,
// tells nothing if the waiter may have waited because of what it saw then. So it counts
// only if nothing orders the two. It always counts if whoever took it held a reference that
// the waiter waits for, since that is what the waiter has not looked at.

// SignalledBy adds the locks and waits on the way to the signal of what the map stands for,
// except for those of the given maps, which others look after.
func (t *Task) SignalledBy(m *LockMap, c *Cone, except ...*LockMap) {
	if t.K.Lockdep.Off {
		return
	}
	for i := range c.Notes {
		d := &c.Notes[i]
		to := d.class
		if to == nil || to == m.dep.class || m.dep.class.leadsTo(to) {
			continue
		}
		if slices.ContainsFunc(except, func(e *LockMap) bool { return e.dep.class == to }) {
			continue
		}
		t.eventEdge(m.dep.class, to, c, d, nil)
	}
}

// waitedHolding looks at a wait that has ended, and during which locks were held.
func (t *Task) waitedHolding(op *sim.Op) {
	m := t.Machine()
	events := m.Events()
	if t.K.Lockdep.Off || op.Obj == nil || len(events) == 0 || ownMap(op.Obj) || noWait(op.Obj, op.Verb) {
		return
	}
	e := &events[len(events)-1]
	if e.Task != t.Task || e.Enabler < 0 {
		return
	}
	k := t.K
	w := &events[e.Enabler]
	root := part{task: w.Task, at: w.Op, by: -1}
	if !once(op.Obj) {
		root.ref = op.Obj
	}
	c := k.grow(&Cone{m: m, careful: true}, root, int(e.Enabler), Point{})
	if len(c.Notes) == 0 {
		return
	}
	from := k.class("(" + op.Obj.Type + ")" + op.Obj.Name)
	for i := range t.held {
		if h := &t.held[i]; h.class != from && !h.class.leadsTo(from) {
			k.Lockdep.link(h.class, &edge{from: h.class, to: from, held: h.place, use: t.use()})
		}
	}
	for i := range c.Notes {
		d := &c.Notes[i]
		if d.Kind == NoteAlloc {
			t.reclaimMaps()
			if d.GFP&GFP_FS != 0 {
				t.eventEdge(from, k.fsReclaim.dep.class, c, d, t.held)
			}
			t.eventEdge(from, k.mmuNotifier.dep.class, c, d, t.held)
		} else if d.class != nil {
			t.eventEdge(from, d.class, c, d, t.held)
		}
	}
}

// ownMap tells whether waits for the object have a map, and so an order already.
func ownMap(o *sim.Object) bool {
	return o.Type == "fence" || o.Type == "work" || o.Type == "workqueue"
}

// eventEdge makes an edge from an event to something that its signal depended on, and that can
// be waited for. Of the locks that are held while the event is waited for, the one that would
// close a ring must not have been taken because of it.
func (t *Task) eventEdge(from, to *LockClass, c *Cone, d *Dep, held []heldLock) {
	if from == to || from.leadsTo(to) {
		return
	}
	e := &edge{from: from, to: to, event: true, use: use{place: d.Place(), calls: d.Calls}}
	way := t.K.Lockdep.way(to, func(c *LockClass) bool { return c == from })
	ring := append([]*edge{e}, way...)
	free := func(h heldLock) bool { // to come first
		return (way == nil || h.class == ring[len(ring)-1].from) && !t.K.before(t.Machine(), c, d, &h)
	}
	if held != nil && !slices.ContainsFunc(held, free) {
		return
	}
	t.K.Lockdep.link(from, e)
	if way == nil {
		return
	}
	detail := append([]string{fmt.Sprintf("%s waits for %s", t.Task, from.name)}, chain(ring)...)
	if t.Tracing() {
		detail = append(detail, c.Chain(d)...)
	}
	t.Flag(LockOrder, detail, "possible circular locking dependency: %s -> %s", names(ring), from.name)
}

// before tells whether what was depended on came before the lock was taken by necessity.
func (k *Kernel) before(m *sim.Machine, c *Cone, d *Dep, h *heldLock) bool {
	if ref := c.parts[d.part].ref; ref == nil || !named(ref) {
		return happensBefore(m, d.Event, h.event)
	}
	order := k.coneOf(m, h.place.Task, int(h.event), h.op+1, Point{})
	return slices.ContainsFunc(order.Notes, func(o Dep) bool { return o.Op == d.Op && o.Task == d.Task })
}

// Ordered tells whether event a came before the present one of t by necessity, as far as the
// accesses of objects tell.
func (t *Task) Ordered(a int) bool {
	m := t.Machine()
	return happensBefore(m, int32(a), int32(len(m.Events())-1))
}

// happensBefore tells whether event a had to come before event b as far as the accesses of
// objects tell, locks included.
func happensBefore(m *sim.Machine, a, b int32) bool {
	events := m.Events()
	tasks := map[*sim.Task]bool{}
	objects := map[*sim.Object][]sim.Class{}
	born := map[int]*sim.Task{}
	enter := func(t *sim.Task) {
		if t != nil && !tasks[t] {
			tasks[t] = true
			born[t.Born()-1] = t.Parent()
		}
	}
	conflicts := func(o *sim.Object, class sim.Class) bool {
		return o != nil && slices.ContainsFunc(objects[o], class.Conflicts)
	}
	enter(events[b].Task)
	for i := int(b); i >= int(a); i-- {
		e := &events[i]
		enter(born[i])
		hit := tasks[e.Task] || conflicts(e.Obj, e.Class)
		for _, x := range m.Extra(e) {
			hit = hit || conflicts(x.Obj, x.Class)
		}
		if !hit {
			continue
		}
		if i == int(a) {
			return true
		}
		enter(e.Task)
		enter(e.Joins)
		if e.Obj != nil && !slices.Contains(objects[e.Obj], e.Class) {
			objects[e.Obj] = append(objects[e.Obj], e.Class)
		}
		for _, x := range m.Extra(e) {
			if !slices.Contains(objects[x.Obj], x.Class) {
				objects[x.Obj] = append(objects[x.Obj], x.Class)
			}
		}
	}
	return false
}
