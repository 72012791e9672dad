package kernel

import (
	"fmt"
	"regexp"
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
// There are two graphs. One is of classes: who nests two locks does so by a rule that holds for
// all locks of the classes. The other is of single locks, and is for rings that go through
// an event, such as a completion, see [Task.waitedHolding].
//
// A finding does not end the run: what the run does end with is worse.
type Lockdep struct {
	// Off turns the prediction off.
	Off bool

	graph   uint64 // the same for the same edges and uses
	classes []*LockClass
	byName  map[string]*LockClass
	singles int // the nodes of single locks
	events  int // edges that go through an event
	search  int // the number of searches for a way
	queue   []*lockNode
	nodes   []lockNode // memory for them
	edges   []edge
	usage   usages
}

// LockClass is struct lock_class: all locks that follow the same rules.
type LockClass struct {
	lockNode
	hash  uint64 // of the name
	locks []*lockNode
	whole *lockNode // of a map, among the single locks
	// context is set for the map of acquire contexts: by itself one keeps nobody waiting.
	context bool

	used     [lines]lineUse // of a spinlock
	reported bool
}

// use is a place in the run, and what was called there.
type use struct {
	place sim.Place
	calls []string // kept if anybody reads the trace
}

// heldLock is a lock, or a map, that a task holds.
type heldLock struct {
	*lockDep
	place sim.Place
	event int32
	op    int32
}

// lockDep is the part of a lock that lockdep knows: struct lockdep_map.
type lockDep struct {
	class *LockClass
	name  string
	obj   *sim.Object // nil: a map, which is one for all of its class
	node  *lockNode   // of the lock by itself, once there was need of it
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
	c := &LockClass{hash: 14695981039346656037}
	c.lockNode = lockNode{class: c, name: name, id: len(ld.classes)}
	for i := range len(name) { // FNV-1a
		c.hash = (c.hash ^ uint64(name[i])) * 1099511628211
	}
	ld.classes = append(ld.classes, c)
	ld.byName[name] = c
	return c
}

var instance = regexp.MustCompile("#[0-9]+")

// initDep makes a lock of the name's class, which is the object.
func (t *Task) initDep(d *lockDep, o *sim.Object, name string) {
	*d = lockDep{class: t.K.class(name), name: name, obj: o}
}

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
		t.note(Note{Kind: NoteLock, Name: d.name, lock: t.K.Lockdep.node(d)})
	}
}

// holds notes that t has taken a lock whose order was noted before.
func (t *Task) holds(d *lockDep) {
	if t.held == nil {
		t.held = make([]heldLock, 0, 4)
	}
	t.held = append(t.held, heldLock{d, t.Place(), int32(len(t.Machine().Events()) - 1), int32(t.Machine().Ops())})
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
			continue
		case !h.class.leadsTo(&d.class.lockNode):
			t.addEdge(h, d.class)
		}
		t.nested(h, d)
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
	t.note(Note{Kind: NoteWait, Name: d.name, lock: t.K.Lockdep.node(d)})
}

func (t *Task) locksHeld() string {
	var names []string
	for _, h := range t.held {
		names = append(names, fmt.Sprintf("%s (taken %s)", h.name, h.place))
	}
	return strings.Join(names, ", ")
}

func (t *Task) use() use {
	u := use{place: t.Place()}
	if t.Tracing() {
		u.calls = calls()
	}
	return u
}

func (t *Task) addEdge(h *heldLock, to *LockClass) {
	ld := &t.K.Lockdep
	e := ld.link(edge{from: &h.class.lockNode, to: &to.lockNode, held: h.place, use: t.use()})
	if way := ld.way(e.to, e.from); way != nil {
		t.circular(e, way, t.taking(to.name, h))
	}
	t.safeToUnsafe()
}

func (t *Task) taking(what string, h *heldLock) string {
	return fmt.Sprintf("%s takes %s, and holds %s (taken %s)", t.Task, what, h.name, h.place)
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
	ld := &t.K.Lockdep
	for i, c := range order[:len(order)-1] {
		to := order[i+1]
		if c.leadsTo(&to.lockNode) {
			continue
		}
		e := ld.link(edge{from: &c.lockNode, to: &to.lockNode, documented: true})
		if way := ld.way(e.to, e.from); way != nil {
			arcs := t.arcs(append([]*edge{e}, way...))
			t.Flag(LockOrder, chain(arcs), "the documented order %s -> %s contradicts what is known", c.name, to.name)
		}
	}
}
