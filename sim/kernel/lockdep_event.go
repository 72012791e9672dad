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
	c := k.grow(&Cone{m: m, careful: true}, root, int(e.Enabler), t.K.explored(m))
	if len(c.Notes) == 0 {
		return
	}
	from := k.class("(" + op.Obj.Type + ")" + op.Obj.Name)
	for i := range t.held {
		if h := &t.held[i]; h.class != from && !h.class.leadsTo(from) {
			k.Lockdep.link(h.class, &edge{from: h.class, to: from, held: h.place, use: t.use()})
		}
	}
	held := &heldOrder{t: t}
	for i := range c.Notes {
		d := &c.Notes[i]
		if d.Kind == NoteAlloc {
			t.reclaimMaps()
			if d.GFP&GFP_FS != 0 {
				t.eventEdge(from, k.fsReclaim.dep.class, c, d, held)
			}
			t.eventEdge(from, k.mmuNotifier.dep.class, c, d, held)
		} else if d.class != nil {
			t.eventEdge(from, d.class, c, d, held)
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
func (t *Task) eventEdge(from, to *LockClass, c *Cone, d *Dep, held *heldOrder) {
	if from == to || from.leadsTo(to) {
		return
	}
	e := &edge{from: from, to: to, event: true, use: use{place: d.Place(), calls: d.Calls}}
	way := t.K.Lockdep.way(to, func(c *LockClass) bool { return c == from })
	ring := append([]*edge{e}, way...)
	if held != nil {
		only := ring[len(ring)-1].from
		if way == nil {
			only = nil
		}
		if !held.free(c, d, only) {
			return
		}
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

// heldOrder knows what came before the locks that a task holds by necessity. It is worked out
// when it is needed.
type heldOrder struct {
	t     *Task
	locks []lockOrder // as t.held
}

// lockOrder is what came before one lock was taken.
type lockOrder struct {
	past []bool // events, by all that tells of an order
	cone *Cone  // by what the taking depended on
}

// free tells whether what was depended on could have come after one of the locks was taken, or
// after the one of the class, if that is given.
func (o *heldOrder) free(c *Cone, d *Dep, only *LockClass) bool {
	if o.locks == nil {
		o.locks = make([]lockOrder, len(o.t.held))
	}
	for i := range o.t.held {
		h := &o.t.held[i]
		if only != nil && h.class != only {
			continue
		}
		if d.Event > h.event || !o.before(&o.locks[i], h, c, d) {
			return true
		}
	}
	return false
}

func (o *heldOrder) before(l *lockOrder, h *heldLock, c *Cone, d *Dep) bool {
	m := o.t.Machine()
	if ref := c.parts[d.part].ref; ref == nil || !named(ref) {
		if l.past == nil {
			l.past = slices.Clone(m.Past(int(h.event)))
		}
		return l.past[d.Event]
	}
	if l.cone == nil {
		l.cone = o.t.K.coneOf(m, h.place.Task, int(h.event), h.op+1, o.t.K.explored(m))
	}
	return slices.ContainsFunc(l.cone.Notes, func(n Dep) bool { return n.Op == d.Op && n.Task == d.Task })
}

// Ordered tells whether event a came before the present one of t by necessity, as far as the
// accesses of objects tell.
func (t *Task) Ordered(a int) bool {
	m := t.Machine()
	return m.Past(len(m.Events()) - 1)[a]
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
