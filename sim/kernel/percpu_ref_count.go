package kernel

import "dmasim/sim"

// Get is percpu_ref_get: the caller has a reference already.
func (r *PercpuRef) Get(t *Task) { r.get(t, "percpu_ref_get", 1) }

// GetMany is percpu_ref_get_many.
func (r *PercpuRef) GetMany(t *Task, n int) { r.get(t, "percpu_ref_get_many", n) }

func (r *PercpuRef) get(t *Task, call string, n int) {
	t.Step(sim.Op{Verb: call, Obj: &r.obj, Class: percpuCount})
	r.check(t, call)
	if r.atomic && r.data.count == 0 { // the kernel does not notice
		r.misuse(t, "%s of %s, whose count is zero", call, r.name)
	}
	r.add(t, int64(n))
}

// add counts where the mode says.
func (r *PercpuRef) add(t *Task, n int64) {
	if r.percpu() {
		r.counters.add(t, n)
	} else {
		r.data.count += n
	}
}

// Tryget is percpu_ref_tryget: fails only if the count is zero. A ref that has been killed
// can be had as long as somebody else has a reference.
func (r *PercpuRef) Tryget(t *Task) bool { return r.tryget(t, "percpu_ref_tryget", 1) }

// TrygetMany is percpu_ref_tryget_many.
func (r *PercpuRef) TrygetMany(t *Task, n int) bool { return r.tryget(t, "percpu_ref_tryget_many", n) }

func (r *PercpuRef) tryget(t *Task, call string, n int) bool {
	t.Step(sim.Op{Verb: call, Obj: &r.obj})
	r.check(t, call)
	switch {
	case r.percpu():
		t.Did(percpuCount)
	case r.data.count == 0:
		t.Did(sim.Read)
		return false
	}
	r.ordered(t)
	r.add(t, int64(n))
	return true
}

// TrygetLive is percpu_ref_tryget_live: fails once the reference has been killed, or has
// exited.
func (r *PercpuRef) TrygetLive(t *Task) bool {
	t.RCUReadLock()
	defer t.RCUReadUnlock()
	return r.trygetLive(t, "percpu_ref_tryget_live")
}

// TrygetLiveRCU is percpu_ref_tryget_live_rcu: for callers that are in a read section.
func (r *PercpuRef) TrygetLiveRCU(t *Task) bool {
	const call = "percpu_ref_tryget_live_rcu"
	if t.rcu == 0 {
		t.Flag(Context, t.circumstances(), "%s(%s) outside an RCU read section (%s)", call, r.name, t.Task)
	}
	return r.trygetLive(t, call)
}

// trygetLive is one operation in per-CPU mode, as the package's documentation says. In
// atomic mode no grace period keeps exit away between the look at the mode and the
// counting, so there they are two.
func (r *PercpuRef) trygetLive(t *Task, call string) bool {
	t.Step(sim.Op{Verb: call, Obj: &r.obj})
	t.Check(r.mem)
	switch {
	case r.dead:
		t.Did(sim.Read)
		return false
	case !r.atomic:
		t.Did(percpuCount)
		r.ordered(t)
		r.add(t, 1)
		return true
	}
	t.Did(sim.Read)
	t.Step(sim.Op{Verb: call, Obj: &r.obj})
	r.check(t, call)
	if r.data.count == 0 {
		t.Did(sim.Read)
		return false
	}
	r.ordered(t)
	r.data.count++
	return true
}

// ordered is the order of a get that succeeds where it could have failed: in per-CPU mode that
// of a read section, which it is.
func (r *PercpuRef) ordered(t *Task) {
	if r.percpu() {
		t.Acquire(&t.K.rcu.begun)
	} else {
		t.FullyOrdered(&r.obj)
	}
}

// Put is percpu_ref_put. It may call release.
func (r *PercpuRef) Put(t *Task) { r.put(t, "percpu_ref_put", 1) }

// PutMany is percpu_ref_put_many.
func (r *PercpuRef) PutMany(t *Task, n int) { r.put(t, "percpu_ref_put_many", n) }

func (r *PercpuRef) put(t *Task, call string, n int) {
	t.Step(sim.Op{Verb: call, Obj: &r.obj})
	r.check(t, call)
	if r.percpu() {
		t.Did(percpuCount)
	} else if d := r.data; !d.biased && d.count < int64(n) { // the kernel does not notice
		r.misuse(t, "%s of %s below zero", call, r.name)
	}
	r.drop(t, int64(n))
}

// drop takes references off where the mode says.
func (r *PercpuRef) drop(t *Task, n int64) {
	if r.percpu() {
		r.counters.add(t, -n)
		t.Release(&t.K.rcu.ended)
	} else {
		r.sub(t, n)
	}
}

// sub takes references off the atomic counter, and calls release if they were the last.
func (r *PercpuRef) sub(t *Task, n int64) {
	r.data.count -= n
	t.FullyOrdered(&r.obj)
	if r.data.count == 0 {
		last := t.last(&r.obj)
		t.K.refSwitch.keep(t)
		t.RCUReadLock()
		r.data.release(t)
		t.RCUReadUnlock()
		t.ends(last)
	}
}
