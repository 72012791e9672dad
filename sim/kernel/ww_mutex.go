package kernel

import "dmasim/sim"

// WWMutex is struct ww_mutex (kernel/locking/ww_mutex.h): a mutex of which a transaction
// can take several in any order. Of two transactions that are in each other's way, the
// younger one is told to back off.
//
// With a context, a lock that is not free costs an operation more: others can tell whether
// somebody is queued. Waking those who have to die is no operation; they may go on by
// themselves from then on.
type WWMutex struct {
	obj   sim.Object
	mem   *Mem
	class *WWClass
	owner *Task
	ctx   *AcquireCtx // of the holder
	queue []*wwWaiter
	dep   lockDep
	last  lastUnlock
}

// Init is ww_mutex_init, as one of the class and as part of in (nil: static storage).
func (w *WWMutex) Init(t *Task, in *Mem, class *WWClass, name string) {
	t.own(&w.obj, in, "ww_mutex", name)
	w.mem, w.class = in, class
	in.lock(w)
	w.dep = lockDep{class: class.lock, name: name, obj: &w.obj}
}

// Ready tells whether the lock is free: that is all that a waiter without a context waits
// for.
func (w *WWMutex) Ready(*sim.Task) bool { return w.owner == nil }

// Owners is the holder, for deadlock reports.
func (w *WWMutex) Owners(*sim.Task) []*sim.Task { return w.owners() }

// ClassNow foresees a trylock that fails.
func (w *WWMutex) ClassNow(*sim.Task) sim.Class { return classOfTrylock(w.owner == nil) }

func (w *WWMutex) owners() []*sim.Task { return []*sim.Task{w.owner.Task} }

// Lock is ww_mutex_lock: OK, EALREADY if the context holds the lock already, or
// EDEADLK if it must back off: give up all its locks, and wait for this one with LockSlow.
// Without a context (nil) it is a plain mutex and always OK.
func (w *WWMutex) Lock(t *Task, ctx *AcquireCtx) Errno {
	return w.lock(t, ctx, "ww_mutex_lock", Uninterruptible)
}

// LockInterruptible is ww_mutex_lock_interruptible: also EINTR.
func (w *WWMutex) LockInterruptible(t *Task, ctx *AcquireCtx) Errno {
	return w.lock(t, ctx, "ww_mutex_lock_interruptible", Interruptible)
}

// LockSlow is ww_mutex_lock_slow: waits for the lock that the context had to back off
// from. The context holds nothing, so it does not die.
func (w *WWMutex) LockSlow(t *Task, ctx *AcquireCtx) {
	w.afterDeath(t, ctx, "ww_mutex_lock_slow")
	w.lock(t, ctx, "ww_mutex_lock_slow", Uninterruptible)
}

// LockSlowInterruptible is ww_mutex_lock_slow_interruptible: OK or EINTR.
func (w *WWMutex) LockSlowInterruptible(t *Task, ctx *AcquireCtx) Errno {
	w.afterDeath(t, ctx, "ww_mutex_lock_slow_interruptible")
	return w.lock(t, ctx, "ww_mutex_lock_slow_interruptible", Interruptible)
}

func (w *WWMutex) afterDeath(t *Task, ctx *AcquireCtx, call string) {
	if ctx.contending == nil {
		t.Warn("%s(%s) without -EDEADLK before (%s)", call, w.obj.Name, t.Task)
	}
}

func (w *WWMutex) lock(t *Task, ctx *AcquireCtx, call string, state State) Errno {
	t.MightSleep(call, w.obj.Name)
	if ctx != nil {
		ctx.check(t, call)
	}
	if w.owner == t && (ctx == nil || w.ctx != ctx) {
		how := "without an acquire context"
		if ctx != nil {
			how = "with another acquire context than it was taken with"
		}
		t.Fail(sim.Deadlock, "%s locks %s %s, and holds it already", t.Task, w.obj.Name, how)
	}
	if ctx == nil {
		return w.lockPlain(t, call, state)
	}
	err := w.lockWith(t, ctx, call, state)
	if err == OK && ctx.inject() {
		ctx.contending = w
		w.Unlock(t)
		return EDEADLK
	}
	return err
}

func (w *WWMutex) lockPlain(t *Task, call string, state State) Errno {
	t.order(&w.dep, mayWait)
	got := t.sleep(sim.Op{Verb: call, Obj: &w.obj, Guard: w}, state, MaxScheduleTimeout)
	t.Check(w.mem)
	if !got.ready {
		t.Did(sim.Read)
		return EINTR
	}
	w.take(t, nil, call, mayWait)
	return OK
}

// lockWith is the lock call of a transaction. A lock that is free is granted, whatever the
// age of those who wait and whatever signal is pending.
func (w *WWMutex) lockWith(t *Task, ctx *AcquireCtx, call string, state State) Errno {
	if w.ctx != ctx {
		t.order(&w.dep, nesting)
	}
	t.Step(sim.Op{Verb: call, Obj: &w.obj})
	t.Check(w.mem)
	if w.ctx == ctx {
		t.Did(sim.Read)
		return EALREADY
	}
	ctx.heal()
	if w.owner == nil {
		w.take(t, ctx, call, mayWait)
		return OK
	}
	if ctx.class.algo == WaitDie && ctx.acquired > 0 && w.behind(ctx) {
		t.Did(sim.Read)
		return w.die(t, ctx, call)
	}
	if ctx.class.algo == WoundWait {
		w.wound(t, ctx)
	}
	if ctx.class.algo == WoundWait || state != Uninterruptible {
		t.Touch(t.wake(), sim.Read)
	}
	switch {
	case t.interrupted(state):
		t.Did(sim.Read)
		return EINTR
	case w.dies(ctx):
		t.Did(sim.Read)
		return w.die(t, ctx, call)
	}
	return w.wait(t, ctx, call, state)
}

// wait is what a transaction does that is queued.
func (w *WWMutex) wait(t *Task, ctx *AcquireCtx, call string, state State) Errno {
	q := &wwWaiter{w, ctx}
	w.enqueue(q)
	t.Step(sim.Op{Verb: call, Obj: &w.obj, Also: t.wake(), Guard: &wwSleep{q, t, state}})
	t.Check(w.mem)
	w.dequeue(q)
	switch {
	case w.owner == nil:
		w.take(t, ctx, call, mayWait)
		return OK
	case t.interrupted(state):
		return EINTR
	}
	return w.die(t, ctx, call)
}

// die makes the context back off from the lock.
func (w *WWMutex) die(t *Task, ctx *AcquireCtx, call string) Errno {
	if ctx.contending != nil {
		t.Warn("%s(%s): -EDEADLK again, before %s was taken (%s)", call, w.obj.Name, ctx.contending.obj.Name, t.Task)
	}
	ctx.contending = w
	return EDEADLK
}

// Trylock is ww_mutex_trylock without a context: true if the lock was taken.
func (w *WWMutex) Trylock(t *Task) bool { return w.TrylockCtx(t, nil) }

// TrylockCtx is ww_mutex_trylock with a context, to which the lock counts if it was taken.
func (w *WWMutex) TrylockCtx(t *Task, ctx *AcquireCtx) bool {
	const call = "ww_mutex_trylock"
	t.notInInterrupt(call, w.obj.Name)
	if ctx != nil {
		ctx.check(t, call)
	}
	t.Step(sim.Op{Verb: call, Obj: &w.obj, Foresee: w})
	t.Check(w.mem)
	if ctx != nil {
		ctx.heal()
	}
	if w.owner != nil {
		t.Did(sim.Read)
		return false
	}
	w.take(t, ctx, call, trying)
	return true
}

// heal ends the wound of a transaction that has given up its locks: nobody waits for it
// any more.
func (a *AcquireCtx) heal() {
	if a.acquired == 0 {
		a.wounded = false
	}
}

func (w *WWMutex) take(t *Task, ctx *AcquireCtx, call string, how acquiring) {
	w.last.taken(&w.obj, how)
	w.owner, w.ctx = t, ctx
	t.Acquire(&w.obj)
	t.tookSleeping(&w.dep, how)
	if ctx == nil {
		return
	}
	w.audit(t, ctx, call)
	ctx.contending = nil
	ctx.acquired++
	w.overtook(t)
}

// audit is what a kernel with CONFIG_DEBUG_MUTEXES checks of a context that takes a lock.
func (w *WWMutex) audit(t *Task, ctx *AcquireCtx, call string) {
	var what string
	switch {
	case ctx.done:
		what = "after ww_acquire_done"
	case ctx.contending != nil && ctx.contending != w:
		what = "after -EDEADLK from " + ctx.contending.obj.Name
	case ctx.contending != nil && ctx.acquired > 0:
		what = "after -EDEADLK with other locks of the context still held"
	case ctx.class != w.class:
		what = "with a context of another class"
	default:
		return
	}
	t.Warn("%s(%s) %s (%s)", call, w.obj.Name, what, t.Task)
}

// Unlock is ww_mutex_unlock.
func (w *WWMutex) Unlock(t *Task) {
	t.notInInterrupt("ww_mutex_unlock", w.obj.Name)
	if w.owner != t {
		t.Fail(sim.Misuse, "%s unlocks %s, which %s", t.Task, w.obj.Name, heldBy(w.owner))
	}
	t.Step(sim.Op{Verb: "ww_mutex_unlock", Obj: &w.obj, Releases: true})
	t.Check(w.mem)
	if w.ctx != nil {
		w.ctx.acquired--
	}
	w.owner, w.ctx = nil, nil
	t.Release(&w.obj)
	w.last.unlocked(t, &w.obj, w.mem)
	t.released(&w.dep)
}

func (w *WWMutex) holder() (*Task, string) { return w.owner, w.obj.Name }

// Held tells whether t holds the lock.
func (w *WWMutex) Held(t *Task) bool { return w.owner == t }

// LockingCtx is the context that t holds the lock with, nil for none:
// dma_resv_locking_ctx.
func (w *WWMutex) LockingCtx(t *Task) *AcquireCtx {
	if w.owner != t {
		t.Step(sim.Op{Verb: "load ww_mutex.ctx", Obj: &w.obj, Class: sim.Read})
	}
	return w.ctx
}

// Locked tells whether anybody holds the lock, as an auditor sees it.
func (w *WWMutex) Locked() bool { return w.owner != nil }
