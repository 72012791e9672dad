package kernel

import "dmasim/sim"

// Dec is refcount_dec: for a caller that knows that the count does not reach 0.
func (r *Refcount) Dec(t *Task) {
	t.Step(sim.Op{Verb: "refcount_dec", Obj: &r.obj})
	t.Check(r.mem)
	if r.n <= 1 {
		r.saturate(t, "decrement hit 0; leaking memory")
		return
	}
	t.Release(&r.obj)
	r.n--
}

// DecAndTest is refcount_dec_and_test: true for the one that reaches 0.
func (r *Refcount) DecAndTest(t *Task) bool { return r.sub(t, "refcount_dec_and_test", 1) }

// SubAndTest is refcount_sub_and_test.
func (r *Refcount) SubAndTest(t *Task, n int32) bool { return r.sub(t, "refcount_sub_and_test", n) }

func (r *Refcount) sub(t *Task, call string, n int32) bool {
	t.Step(sim.Op{Verb: call, Obj: &r.obj})
	t.Check(r.mem)
	if r.n <= 0 || r.n < n {
		r.saturate(t, "underflow; use-after-free")
		return false
	}
	r.n -= n
	t.Release(&r.obj)
	if r.n > 0 {
		return false
	}
	t.Acquire(&r.obj)
	t.last(&r.obj)
	return true
}

// DecIfOne is refcount_dec_if_one: true if the count was 1, and is 0 now.
func (r *Refcount) DecIfOne(t *Task) bool {
	t.Step(sim.Op{Verb: "refcount_dec_if_one", Obj: &r.obj})
	t.Check(r.mem)
	if r.n != 1 {
		t.Did(sim.Read)
		return false
	}
	r.n = 0
	t.Release(&r.obj)
	t.last(&r.obj)
	return true
}

// DecNotOne is refcount_dec_not_one: false if the count is 1, and stays so. A count that is
// misused is left as it is, and the answer is true.
func (r *Refcount) DecNotOne(t *Task) bool {
	t.Step(sim.Op{Verb: "refcount_dec_not_one", Obj: &r.obj})
	t.Check(r.mem)
	switch r.n {
	case RefcountSaturated:
		t.Did(sim.Read)
	case 1:
		t.Did(sim.Read)
		return false
	case 0:
		t.Did(sim.Read)
		r.warn(t, "underflow; use-after-free")
	default:
		t.Release(&r.obj)
		r.n--
	}
	return true
}

// DecAndMutexLock is refcount_dec_and_mutex_lock: true, and the mutex is held, for the one
// that reaches 0. The mutex is not taken if the count is above 1 at first.
func (r *Refcount) DecAndMutexLock(t *Task, mu *Mutex) bool {
	if r.DecNotOne(t) {
		return false
	}
	mu.Lock(t)
	if !r.DecAndTest(t) {
		mu.Unlock(t)
		return false
	}
	return true
}

// DecAndLock is refcount_dec_and_lock: as DecAndMutexLock.
func (r *Refcount) DecAndLock(t *Task, l *Spinlock) bool {
	if r.DecNotOne(t) {
		return false
	}
	l.Lock(t)
	if !r.DecAndTest(t) {
		l.Unlock(t)
		return false
	}
	return true
}

// DecAndLockIrqsave is refcount_dec_and_lock_irqsave: the flags mean something if the lock
// is held.
func (r *Refcount) DecAndLockIrqsave(t *Task, l *Spinlock) (bool, IrqFlags) {
	if r.DecNotOne(t) {
		return false, false
	}
	flags := l.LockIrqsave(t)
	if !r.DecAndTest(t) {
		l.UnlockIrqrestore(t, flags)
		return false, false
	}
	return true, flags
}
