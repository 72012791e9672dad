package kernel

import (
	"fmt"

	"dmasim/sim"
)

// rcuCallback is a callback that was queued and has not returned.
type rcuCallback struct {
	n    int // as which one it was queued
	task *Task
	// A callback that is delayed has no grace period yet.
	delayed bool
	gracePeriod
}

func (c *rcuCallback) Ready(t *sim.Task) bool { return !c.delayed && c.gracePeriod.Ready(t) }

func (c *rcuCallback) Owners(t *sim.Task) []*sim.Task {
	if c.delayed {
		return nil
	}
	return c.gracePeriod.Owners(t)
}

// RCULazy says whether call_rcu is lazy, as with CONFIG_RCU_LAZY: callbacks may wait for
// seconds before their grace period begins.
func (k *Kernel) RCULazy(on bool) { k.rcu.lazy = on }

// lazyFlush is the time after which lazy callbacks are looked after.
const lazyFlush = 10 * HZ

// CallRCU is call_rcu: fn runs in softirq context after a grace period that starts
// now. It is part of the operation that was granted last. No order is promised between
// callbacks.
func (t *Task) CallRCU(name string, fn func(*Task)) {
	t.beginSection()
	t.callRCU(name, t.K.rcu.lazy, fn)
}

// CallRCUHurry is call_rcu_hurry: as CallRCU, and never lazy.
func (t *Task) CallRCUHurry(name string, fn func(*Task)) {
	t.beginSection()
	t.callRCU(name, false, fn)
}

// beginSection begins the section that t is in, if it has not done anything yet: a grace
// period that starts inside has to wait for it.
func (t *Task) beginSection() {
	if t.rcu > 0 && !t.reading {
		t.K.rcu.begin(t)
	}
}

// callRCU does so from no section, or from one that ends within the operation.
func (t *Task) callRCU(name string, lazy bool, fn func(*Task)) {
	r := &t.K.rcu
	t.Touch(&r.Object, rcuGrace)
	t.Release(&r.begun)
	r.called++
	c := &rcuCallback{n: r.called, delayed: lazy, gracePeriod: gracePeriod{r, r.seq}}
	r.callbacks = append(r.callbacks, c)
	if lazy && r.lazyTimer == nil {
		r.lazyTimer = t.After(int64(lazyFlush)*nanoseconds, t.K.timerMode("rcu lazy"), "rcu lazy", func(st *sim.Task) {
			st.Touch(&r.Object, rcuFlush)
			r.lazyTimer = nil
			r.hurry()
		})
	}
	c.task = t.spawn(InRCUCallback, name, sim.Op{Verb: "grace period", Obj: &r.Object, Class: rcuGrace, Guard: c}, func(t *Task) {
		t.Acquire(&r.ended)
		fn(t)
		r.returned(c) // its end as a reader declares it
		t.Release(&r.callbacksDone)
	})
}

func (r *rcuState) returned(c *rcuCallback) {
	for i, d := range r.callbacks {
		if d == c {
			r.callbacks = append(r.callbacks[:i], r.callbacks[i+1:]...)
			return
		}
	}
}

// hurry begins the grace periods of the callbacks that are delayed.
func (r *rcuState) hurry() {
	for _, c := range r.callbacks {
		if c.delayed {
			c.delayed, c.seq = false, r.seq
		}
	}
}

// RCUBarrier is rcu_barrier: waits for the callbacks that were queued before, and returns
// at once if there are none. It does not wait for readers, nor for KfreeRCU.
func (t *Task) RCUBarrier() {
	r := &t.K.rcu
	t.mayWaitForReaders("rcu_barrier")
	t.Step(sim.Op{Verb: "rcu_barrier", Obj: &r.Object, Class: rcuFlush})
	if r.lazyTimer != nil {
		r.lazyTimer.Cancel(t.Task)
		r.lazyTimer = nil
		r.hurry()
	}
	if b := (rcuBarrier{r, r.called}); !b.Ready(nil) {
		t.Step(sim.Op{Verb: "rcu_barrier", Obj: &r.Object, Class: rcuFlush, Guard: b})
	}
	t.Acquire(&r.callbacksDone)
}

// rcuBarrier is ready when the first n callbacks have returned.
type rcuBarrier struct {
	r *rcuState
	n int
}

func (b rcuBarrier) Ready(*sim.Task) bool {
	for _, c := range b.r.callbacks {
		if c.n <= b.n {
			return false
		}
	}
	return true
}

func (b rcuBarrier) Owners(*sim.Task) []*sim.Task {
	var out []*sim.Task
	for _, c := range b.r.callbacks {
		if c.n <= b.n {
			out = append(out, c.task.Task)
		}
	}
	return out
}

// RCUHead is struct rcu_head: the part of an object that a callback is queued with.
type RCUHead struct {
	obj    sim.Object
	mem    *Mem
	name   string
	queued bool
}

// Init is init_rcu_head, as part of in (nil: static storage).
func (h *RCUHead) Init(t *Task, in *Mem, name string) {
	t.own(&h.obj, in, "rcu_head", name)
	h.mem, h.name, h.queued = in, name, false
	in.freeCheck(func(t *Task) {
		if h.queued {
			t.Fail(UseAfterFree, "ODEBUG: free active object: rcu_head %s of %s is queued; freed by %s", name, in, t.Task)
		}
	})
}

// Call is call_rcu. The callback may queue its head again.
func (h *RCUHead) Call(t *Task, fn func(*Task)) { h.call(t, "call_rcu", t.K.rcu.lazy, fn) }

// CallHurry is call_rcu_hurry.
func (h *RCUHead) CallHurry(t *Task, fn func(*Task)) { h.call(t, "call_rcu_hurry", false, fn) }

func (h *RCUHead) call(t *Task, verb string, lazy bool, fn func(*Task)) {
	t.Step(sim.Op{Verb: verb, Obj: &h.obj})
	t.Check(h.mem)
	if h.queued {
		t.Fail(DoubleFree, "%s: double-freed CB: %s is queued already (%s)", verb, h.name, t.Task)
	}
	h.queued = true
	t.callRCU(h.name, lazy, func(t *Task) {
		t.Touch(&h.obj, sim.Write)
		t.Check(h.mem)
		h.queued = false
		fn(t)
	})
}

// kfree is an object that KfreeRCU will free.
type kfree struct {
	mem  *Mem
	n    int
	task *Task
}

// KfreeRCU is kfree_rcu: a worker frees the object at some time after a grace period. Any
// context. It is batched: rcu_barrier does not wait for it.
func (t *Task) KfreeRCU(m *Mem) {
	r := &t.K.rcu
	t.Step(sim.Op{Verb: "kfree_rcu", Obj: &m.life})
	t.Check(m)
	for _, f := range r.kfrees {
		if f.mem == m {
			t.flagOnce(sim.Warn, "kvfree_call_rcu: double-freed call", fmt.Sprintf(" of %s (%s)", m, t.Task))
			return
		}
	}
	t.Touch(&r.Object, rcuGrace)
	t.Release(&r.begun)
	r.called++
	f := &kfree{mem: m, n: r.called}
	r.kfrees = append(r.kfrees, f)
	op := sim.Op{Verb: "grace period", Obj: &r.Object, Class: rcuGrace, Guard: gracePeriod{r, r.seq}}
	f.task = t.spawn(InWorker, "kfree_rcu_work", op, func(t *Task) {
		t.Acquire(&r.ended)
		for i, g := range r.kfrees {
			if g == f {
				r.kfrees = append(r.kfrees[:i], r.kfrees[i+1:]...)
				break
			}
		}
		t.Free(m) // a barrier is in conflict with the grace period, which this is part of
	})
}

// KfreeRCUMightsleep is kfree_rcu_mightsleep: for an object without a head, at the price
// that it may wait for the grace period itself.
func (t *Task) KfreeRCUMightsleep(m *Mem) {
	t.MightSleep("kfree_rcu_mightsleep", m.String())
	if t.Choose(2, "kfree_rcu_mightsleep has no memory") == 1 {
		t.SynchronizeRCU()
		t.Free(m)
		return
	}
	t.KfreeRCU(m)
}

// KvfreeRCUBarrier is kvfree_rcu_barrier: waits for what KfreeRCU was called for before.
func (t *Task) KvfreeRCUBarrier() {
	r := &t.K.rcu
	t.mayWaitForReaders("kvfree_rcu_barrier")
	t.Step(sim.Op{Verb: "kvfree_rcu_barrier", Obj: &r.Object, Class: rcuFlush})
	if b := (kfreeBarrier{r, r.called}); !b.Ready(nil) {
		t.Step(sim.Op{Verb: "kvfree_rcu_barrier", Obj: &r.Object, Class: rcuFlush, Guard: b})
	}
}

// kfreeBarrier is ready when the objects up to the n-th have been freed.
type kfreeBarrier rcuBarrier

func (b kfreeBarrier) Ready(t *sim.Task) bool { return len(b.Owners(t)) == 0 }

func (b kfreeBarrier) Owners(*sim.Task) []*sim.Task {
	var out []*sim.Task
	for _, f := range b.r.kfrees {
		if f.n <= b.n {
			out = append(out, f.task.Task)
		}
	}
	return out
}
