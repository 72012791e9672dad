package kernel

import (
	"hash/fnv"

	"dmasim/sim"
)

// WWAlgorithm says who gives way to whom.
type WWAlgorithm uint8

const (
	WaitDie   WWAlgorithm = iota // DEFINE_WD_CLASS: the younger one backs off
	WoundWait                    // DEFINE_WW_CLASS: the younger holder is told to
)

// WWClass is struct ww_class.
type WWClass struct {
	// Inject is CONFIG_DEBUG_WW_MUTEX_SLOWPATH: transactions are told to back off now and
	// then though nobody is in their way, more and more rarely.
	Inject bool

	obj     sim.Object
	algo    WWAlgorithm
	stamp   int64
	lock    *LockClass
	acquire lockDep // the map that an acquire context holds
}

// WWClass is the static class of the name: it exists from boot on.
func (t *Task) WWClass(name string, algo WWAlgorithm) *WWClass {
	k := t.K
	if c := k.wwClasses[name]; c != nil {
		return c
	}
	c := &WWClass{algo: algo, lock: k.class(name + "_mutex")}
	t.initDep(&c.acquire, nil, name+"_acquire")
	c.acquire.class.context = true
	h := fnv.New32a()
	h.Write([]byte(name))
	t.OwnPart(&c.obj, &k.injection, uint64(h.Sum32()), "ww_class", name)
	if k.wwClasses == nil {
		k.wwClasses = map[string]*WWClass{}
	}
	k.wwClasses[name] = c
	return c
}

// AcquireCtx is struct ww_acquire_ctx: a transaction that takes several locks of a
// class. Its stamp says how old it is and is kept over back-offs, so that it is the oldest
// one day.
type AcquireCtx struct {
	class    *WWClass
	stamp    int64
	acquired int
	owner    *Task
	// contending is the lock that it had to back off from, and has not taken yet.
	contending *WWMutex
	// wounded is set by an older transaction that waits for one of its locks (WoundWait).
	// It belongs to the owner's wake object.
	wounded     bool
	done, ended bool

	interval, countdown uint // of injected back-offs
}

// AcquireInit is ww_acquire_init: draws the stamp. To lockdep the context is held until
// Fini.
func (c *WWClass) AcquireInit(t *Task) *AcquireCtx {
	t.Step(sim.Op{Verb: "ww_acquire_init", Obj: &c.obj})
	c.stamp++
	return c.begin(t, c.stamp)
}

func (c *WWClass) begin(t *Task, stamp int64) *AcquireCtx {
	t.acquired(&c.acquire, mayWait)
	return &AcquireCtx{class: c, stamp: stamp, owner: t, interval: 1, countdown: uint(stamp & 0xf)}
}

// Done is ww_acquire_done: the transaction takes no more locks.
func (a *AcquireCtx) Done(t *Task) {
	a.check(t, "ww_acquire_done")
	if a.done {
		t.Warn("ww_acquire_done a second time (%s)", t.Task)
	}
	a.done = true
}

// Fini is ww_acquire_fini, after all locks were given up.
func (a *AcquireCtx) Fini(t *Task) {
	a.check(t, "ww_acquire_fini")
	if a.acquired > 0 {
		t.Warn("ww_acquire_fini with %d lock(s) still held (%s)", a.acquired, t.Task)
	}
	a.ended = true
	t.released(&a.class.acquire)
}

// check fails the run if the context is used by another task than its own, or too late.
func (a *AcquireCtx) check(t *Task, call string) {
	if a.owner != t {
		t.Fail(sim.Misuse, "%s: %s uses the acquire context of %s", call, t.Task, a.owner.Task)
	}
	if a.ended {
		t.Fail(sim.Misuse, "%s: %s uses an acquire context after ww_acquire_fini", call, t.Task)
	}
}

// younger compares stamps as the kernel does: a counter may wrap.
func (a *AcquireCtx) younger(b *AcquireCtx) bool { return a.stamp-b.stamp > 0 }

// inject tells whether a back-off is injected now.
func (a *AcquireCtx) inject() bool {
	if !a.class.Inject || a.acquired < 2 {
		return false
	}
	a.countdown--
	if a.countdown+1 != 0 {
		return false
	}
	a.interval = a.interval*3 + a.interval/2
	a.countdown = a.interval
	return true
}
