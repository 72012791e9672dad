package kernel

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"dmasim/sim"
)

// Lockdep knows in which order locks are taken, by class: the locks that were initialised
// under one name. From a run in which nothing went wrong it reports an order that could
// end in a deadlock (kernel/locking/lockdep.c).
//
// An edge a -> b says that b was waited for while a was held. A ring of edges is a
// possible deadlock. Besides locks there are maps: things that can be waited for like locks
// and held like locks, such as reclaim, or the signalling of fences.
//
// A finding does not end the run: what the run does end with is worse.
type Lockdep struct {
	// Off turns the prediction off.
	Off bool

	graph   uint64 // the same for the same edges
	classes []*LockClass
	byName  map[string]*LockClass
	search  int // the number of searches for a way
	queue   []*LockClass
	usage   usages
}

// LockClass is struct lock_class: all locks that follow the same rules.
type LockClass struct {
	name  string
	id    int
	hash  uint64 // of the name
	next  []*edge
	known []uint64 // the classes that edges lead to
	seen  int      // by the search of that number, which came
	via   *edge

	used     [lines]lineUse // of a spinlock
	reported bool
}

// edge says that its end was waited for while its beginning was held.
type edge struct {
	from, to   *LockClass
	held       sim.Place // where from was taken
	documented bool
	event      bool // from is no lock: its signal depended on to
	use
}

// use is a place in the run, and what was called there.
type use struct {
	place sim.Place
	calls []string // kept if anybody reads the trace
}

// heldLock is a lock, or a map, that a task holds.
type heldLock struct {
	class *LockClass
	name  string
	place sim.Place
	event int32
	op    int32
}

// lockDep is the part of a lock that lockdep knows: struct lockdep_map.
type lockDep struct {
	class *LockClass
	name  string
}

// class is the class of the name. Numbers that tell objects of a type apart ("map#2") are
// no part of it: the kernel's classes are places in the source.
func (k *Kernel) class(name string) *LockClass {
	ld := &k.Lockdep
	if strings.Contains(name, "#") {
		name = instance.ReplaceAllString(name, "")
	}
	if c := ld.byName[name]; c != nil {
		return c
	}
	if ld.byName == nil {
		ld.byName = map[string]*LockClass{}
	}
	c := &LockClass{name: name, id: len(ld.classes), hash: 14695981039346656037}
	for i := range len(name) { // FNV-1a
		c.hash = (c.hash ^ uint64(name[i])) * 1099511628211
	}
	ld.classes = append(ld.classes, c)
	ld.byName[name] = c
	return c
}

var instance = regexp.MustCompile("#[0-9]+")

// initDep makes a lock of the name's class.
func (t *Task) initDep(d *lockDep, name string) { d.class, d.name = t.K.class(name), name }

// acquiring says how a lock was taken.
type acquiring uint8

const (
	mayWait acquiring = iota // might have had to wait
	trying                   // would not have waited: no order follows
	nesting                  // with an acquire context, so within the class any order is right
)

// acquired notes that t has taken the lock. The order is noted whether or not t had to
// wait.
func (t *Task) acquired(d *lockDep, how acquiring) {
	if how != trying {
		t.order(d, how)
	}
	t.holds(d)
}

// tookSleeping is holds for a lock that t might have slept for.
func (t *Task) tookSleeping(d *lockDep, how acquiring) {
	t.holds(d)
	if how != trying {
		t.note(Note{Kind: NoteLock, Name: d.name, class: d.class})
	}
}

// holds notes that t has taken a lock whose order was noted before.
func (t *Task) holds(d *lockDep) {
	if t.held == nil {
		t.held = make([]heldLock, 0, 4)
	}
	t.held = append(t.held, heldLock{d.class, d.name, t.Place(), int32(len(t.Machine().Events()) - 1), int32(t.Machine().Ops())})
}

// order notes that d is waited for with what t holds.
func (t *Task) order(d *lockDep, how acquiring) {
	if t.K.Lockdep.Off {
		return
	}
	for i := range t.held {
		h := &t.held[i]
		switch {
		case h.class == d.class && how == nesting:
		case h.class == d.class:
			t.recursive(h, d)
		case !h.class.leadsTo(d.class):
			t.addEdge(h, d.class)
		}
	}
}

// released notes that t has given the lock up: the one of the name that it took last. It
// reports whether t held it.
func (t *Task) released(d *lockDep) bool {
	for i := len(t.held) - 1; i >= 0; i-- {
		if h := &t.held[i]; h.class == d.class && h.name == d.name {
			t.held = append(t.held[:i], t.held[i+1:]...)
			return true
		}
	}
	return false
}

// touch is a wait for a map: it is taken and given up.
func (t *Task) touch(d *lockDep) { t.order(d, mayWait) }

// waits is a touch that others may depend on.
func (t *Task) waits(d *lockDep) {
	t.touch(d)
	t.note(Note{Kind: NoteWait, Name: d.name, class: d.class})
}

func (t *Task) locksHeld() string {
	var names []string
	for _, h := range t.held {
		names = append(names, fmt.Sprintf("%s (taken %s)", h.name, h.place))
	}
	return strings.Join(names, ", ")
}

func (c *LockClass) leadsTo(d *LockClass) bool {
	w := d.id >> 6
	return w < len(c.known) && c.known[w]>>(d.id&63)&1 != 0
}

func (t *Task) use() use {
	u := use{place: t.Place()}
	if t.Tracing() {
		u.calls = calls()
	}
	return u
}

// link makes an edge from c to the end of e.
func (ld *Lockdep) link(c *LockClass, e *edge) {
	for len(c.known) <= e.to.id>>6 {
		c.known = append(c.known, 0)
	}
	c.known[e.to.id>>6] |= 1 << (e.to.id & 63)
	c.next = append(c.next, e)
	ld.graph += c.hash * (e.to.hash | 1)
}

func (t *Task) addEdge(h *heldLock, to *LockClass) {
	e := &edge{from: h.class, to: to, held: h.place, use: t.use()}
	t.K.Lockdep.link(h.class, e)
	if way := t.K.Lockdep.way(to, func(c *LockClass) bool { return c == h.class }); way != nil {
		t.circular(h, append([]*edge{e}, way...))
	}
	t.safeToUnsafe()
}

// way is the shortest way of at least one edge from c to a class that is wanted, nil if
// there is none.
func (ld *Lockdep) way(c *LockClass, wanted func(*LockClass) bool) []*edge {
	ld.search++
	ld.queue = append(ld.queue[:0], c)
	c.seen, c.via = ld.search, nil
	for i := 0; i < len(ld.queue); i++ {
		for _, e := range ld.queue[i].next {
			if wanted(e.to) {
				way := []*edge{e}
				for e = e.from.via; e != nil; e = e.from.via {
					way = append(way, e)
				}
				slices.Reverse(way)
				return way
			}
			if e.to.seen != ld.search {
				e.to.seen, e.to.via = ld.search, e
				ld.queue = append(ld.queue, e.to)
			}
		}
	}
	return nil
}

// circular reports a ring of edges. The first of them is new: its end was waited for
// while h was held.
func (t *Task) circular(h *heldLock, ring []*edge) {
	detail := []string{fmt.Sprintf("%s takes %s, and holds %s (taken %s)", t.Task, ring[0].to.name, h.name, h.place)}
	t.Flag(LockOrder, append(detail, chain(ring)...), "possible circular locking dependency: %s -> %s", names(ring), ring[0].from.name)
}

// names are the beginnings of the edges: "a -> b".
func names(way []*edge) string {
	var out []string
	for _, e := range way {
		out = append(out, e.from.name)
	}
	return strings.Join(out, " -> ")
}

// chain tells where each edge comes from.
func chain(way []*edge) (out []string) {
	for _, e := range way {
		out = append(out, e.String())
		if len(e.calls) > 0 {
			out = append(out, "  Call trace: "+strings.Join(e.calls, " <- "))
		}
	}
	return out
}

// String tells where an edge comes from.
func (e *edge) String() string {
	switch {
	case e.event:
		return fmt.Sprintf("%s -> %s: %s, on the way to the signal of %s", e.from.name, e.to.name, e.place, e.from.name)
	case e.documented:
		return fmt.Sprintf("%s -> %s: the documented order", e.from.name, e.to.name)
	}
	return fmt.Sprintf("%s -> %s: %s, held since %s", e.from.name, e.to.name, e.place, e.held)
}

func (t *Task) recursive(h *heldLock, d *lockDep) {
	if d.class.reported {
		return
	}
	d.class.reported = true
	t.Flag(LockOrder, t.circumstances(), "possible recursive locking: %s takes %s while it holds %s of the same class (taken %s)", t.Task, d.name, h.name, h.place)
}

// documented says that the classes may be nested in this order, the outermost first, as if
// a run had shown it: the order that a subsystem primes lockdep with.
func (t *Task) documented(order ...*LockClass) {
	for i, c := range order[:len(order)-1] {
		to := order[i+1]
		if c.leadsTo(to) {
			continue
		}
		e := &edge{from: c, to: to, documented: true}
		t.K.Lockdep.link(c, e)
		if way := t.K.Lockdep.way(to, func(d *LockClass) bool { return d == c }); way != nil {
			t.Flag(LockOrder, chain(append([]*edge{e}, way...)), "the documented order %s -> %s contradicts what is known", c.name, to.name)
		}
	}
}
