package kernel

import "dmasim/sim"

// AcquireCtx is struct ww_acquire_ctx: a transaction that takes several locks of a
// class. Its stamp says how old it is and is kept over back-offs.
type AcquireCtx struct {
	stamp    int
	died     *WWMutex // the lock that it had to back off from
	acquired int
	owner    *Task
}

// WWClass is struct ww_class with the wait-die rule, as the class of reservation
// objects.
type WWClass struct {
	obj   sim.Object
	stamp int
}

// NewWWClass is DEFINE_WD_CLASS.
func NewWWClass(t *Task, name string) *WWClass {
	c := &WWClass{}
	t.Own(&c.obj, "ww_class", name)
	return c
}

// AcquireInit is ww_acquire_init: draws the stamp.
func (c *WWClass) AcquireInit(t *Task) *AcquireCtx {
	t.Step(sim.Op{Verb: "ww_acquire_init", Obj: &c.obj})
	c.stamp++
	return &AcquireCtx{stamp: c.stamp, owner: t}
}

// Fini is ww_acquire_fini.
func (a *AcquireCtx) Fini(t *Task) {
	if a.acquired > 0 {
		t.Fail(sim.Misuse, "ww_acquire_fini with %d lock(s) still held", a.acquired)
	}
}

// WWMutex is struct ww_mutex (kernel/locking/ww_mutex.h).
type WWMutex struct {
	obj   sim.Object
	mem   *Mem
	owner *Task
	ctx   *AcquireCtx
}

// Init initialises the lock, as part of in (nil: static storage).
func (w *WWMutex) Init(t *Task, in *Mem, name string) {
	t.own(&w.obj, in, "ww_mutex", name)
	w.mem = in
	in.lock(w)
}

// wwWait is the guard of a task that waits for the lock with a context: it goes on
// when the lock is free, or when it has to die.
type wwWait struct {
	w   *WWMutex
	ctx *AcquireCtx
}

func (g wwWait) Ready(*sim.Task) bool { return g.w.owner == nil || g.w.kills(g.ctx) }
func (g wwWait) Owners(*sim.Task) []*sim.Task {
	return []*sim.Task{g.w.owner.Task}
}

// kills tells whether a requester with locks must die because the holder's
// transaction is older. A holder without a context kills nobody.
func (w *WWMutex) kills(ctx *AcquireCtx) bool {
	return ctx != nil && ctx.acquired > 0 && w.ctx != nil && w.ctx.stamp < ctx.stamp
}

// Lock is ww_mutex_lock: OK, EALREADY if the context holds the lock already, or
// EDEADLK if it must back off. Without a context (nil) it is a plain mutex and
// always OK.
func (w *WWMutex) Lock(t *Task, ctx *AcquireCtx) Errno {
	t.MightSleep("ww_mutex_lock", w.obj.Name)
	if w.owner == t && (ctx == nil || w.ctx != ctx) {
		how := "without an acquire context"
		if ctx != nil {
			how = "with another acquire context than it was taken with"
		}
		t.Fail(sim.Deadlock, "%s locks %s %s, and holds it already", t.Task, w.obj.Name, how)
	}
	t.Step(sim.Op{Verb: "ww_mutex_lock", Obj: &w.obj, Guard: wwLock(w, t, ctx)})
	t.Check(w.mem)
	switch {
	case w.owner == t:
		t.Did(sim.Read)
		return EALREADY
	case w.owner != nil:
		t.Did(sim.Read)
		ctx.died = w
		return EDEADLK
	}
	w.take(t, ctx)
	return OK
}

func wwLock(w *WWMutex, t *Task, ctx *AcquireCtx) sim.Guard {
	if ctx != nil && w.owner == t {
		return nil
	}
	return wwWait{w, ctx}
}

// LockSlow is ww_mutex_lock_slow: waits for the lock without dying. The context
// must hold nothing.
func (w *WWMutex) LockSlow(t *Task, ctx *AcquireCtx) {
	if ctx.acquired > 0 {
		t.Fail(sim.Misuse, "ww_mutex_lock_slow with %d lock(s) of the context still held", ctx.acquired)
	}
	if ctx.died != w {
		t.Fail(sim.Misuse, "ww_mutex_lock_slow(%s) without -EDEADLK from that lock before", w.obj.Name)
	}
	w.Lock(t, ctx)
	ctx.died = nil
}

// Trylock is ww_mutex_trylock without a context.
func (w *WWMutex) Trylock(t *Task) bool {
	if t.ctx >= InSoftirq {
		t.Fail(Context, "ww_mutex_trylock(%s) in %s context (%s)", w.obj.Name, t.ctx, t.Name)
	}
	t.Step(sim.Op{Verb: "ww_mutex_trylock", Obj: &w.obj})
	t.Check(w.mem)
	if w.owner != nil {
		t.Did(sim.Read)
		return false
	}
	w.take(t, nil)
	return true
}

func (w *WWMutex) take(t *Task, ctx *AcquireCtx) {
	w.owner, w.ctx = t, ctx
	if ctx != nil {
		ctx.acquired++
	}
	t.hold(w.obj.Name)
}

// Unlock is ww_mutex_unlock.
func (w *WWMutex) Unlock(t *Task) {
	if w.owner != t {
		t.Fail(sim.Misuse, "%s unlocks %s, which %s", t.Task, w.obj.Name, heldBy(w.owner))
	}
	// A waiter may be about to die of a holder's context, and so not be blocked.
	t.Step(sim.Op{Verb: "ww_mutex_unlock", Obj: &w.obj, Releases: w.ctx == nil})
	t.Check(w.mem)
	if w.ctx != nil {
		w.ctx.acquired--
	}
	w.owner, w.ctx = nil, nil
	t.release(w.obj.Name)
}

func (w *WWMutex) holder() (*Task, string) { return w.owner, w.obj.Name }

// Held tells whether t holds the lock.
func (w *WWMutex) Held(t *Task) bool { return w.owner == t }

// Locked tells whether anybody holds the lock, as an auditor sees it.
func (w *WWMutex) Locked() bool { return w.owner != nil }
