package kernel

import "dmasim/sim"

// PercpuRef is struct percpu_ref (lib/percpu-refcount.c) as it is after
// percpu_ref_init with no flags: per-CPU counters and an initial reference.
// Counting in per-CPU mode never reaches zero. Kill drops the initial reference and
// starts a switch to one atomic counter, which takes an RCU grace period; release
// runs when the count is zero and the switch is over: in the callback of the switch,
// or in the context of the put that comes last.
type PercpuRef struct {
	obj     sim.Object
	mem     *Mem
	name    string
	release func(*Task)
	count   int
	mode    refMode
}

type refMode uint8

const (
	refNone refMode = iota // before init, and after exit
	refPercpu
	refSwitching // killed, the grace period is not over
	refAtomic    // killed, and counting
)

// percpuCount is the class of gets, and of puts in per-CPU mode: none of them can
// see the others.
const percpuCount = sim.Commute

// Init is percpu_ref_init: ENOMEM if the counters cannot be allocated.
func (r *PercpuRef) Init(t *Task, in *Mem, name string, gfp GFP, release func(*Task)) Errno {
	if err := t.MayFail(gfp, "percpu_ref"); err != OK {
		return err
	}
	t.own(&r.obj, in, "percpu_ref", name)
	r.mem, r.name, r.release, r.count, r.mode = in, name, release, 1, refPercpu
	t.K.percpuRefs = append(t.K.percpuRefs, r)
	return OK
}

func (r *PercpuRef) check(t *Task, what string) {
	t.Check(r.mem)
	if r.mode == refNone {
		t.Fail(UseAfterFree, "%s of %s, which has exited (%s)", what, r.name, t.Task)
	}
}

// Get is percpu_ref_get: the caller has a reference already.
func (r *PercpuRef) Get(t *Task) {
	t.Step(sim.Op{Verb: "percpu_ref_get", Obj: &r.obj, Class: percpuCount})
	r.check(t, "percpu_ref_get")
	if r.mode == refAtomic && r.count == 0 {
		t.Fail(RefcountMisuse, "percpu_ref_get of %s, whose count is zero (%s)", r.name, t.Task)
	}
	r.count++
}

// TrygetLive is percpu_ref_tryget_live: fails once the reference has been killed.
func (r *PercpuRef) TrygetLive(t *Task) bool {
	t.Step(sim.Op{Verb: "percpu_ref_tryget_live", Obj: &r.obj})
	r.check(t, "percpu_ref_tryget_live")
	if r.mode != refPercpu {
		t.Did(sim.Read)
		return false
	}
	t.Did(percpuCount)
	r.count++
	return true
}

// Tryget is percpu_ref_tryget: fails only if the count is zero.
func (r *PercpuRef) Tryget(t *Task) bool {
	t.Step(sim.Op{Verb: "percpu_ref_tryget", Obj: &r.obj})
	r.check(t, "percpu_ref_tryget")
	if r.mode == refAtomic && r.count == 0 {
		t.Did(sim.Read)
		return false
	}
	r.count++
	return true
}

// Put is percpu_ref_put. It may call release.
func (r *PercpuRef) Put(t *Task) {
	t.Step(sim.Op{Verb: "percpu_ref_put", Obj: &r.obj})
	r.check(t, "percpu_ref_put")
	r.count--
	switch {
	case r.mode == refPercpu:
		t.Did(percpuCount)
	case r.mode == refAtomic && r.count < 0:
		t.Fail(RefcountMisuse, "percpu_ref_put of %s below zero (%s)", r.name, t.Task)
	case r.mode == refAtomic && r.count == 0:
		r.zero(t)
	}
}

// Kill is percpu_ref_kill: from any context; once.
func (r *PercpuRef) Kill(t *Task) {
	t.Step(sim.Op{Verb: "percpu_ref_kill", Obj: &r.obj})
	r.check(t, "percpu_ref_kill")
	if r.mode != refPercpu {
		t.Fail(RefcountMisuse, "percpu_ref_kill called more than once on %s (%s)", r.name, t.Task)
	}
	r.mode = refSwitching
	r.count--
	t.CallRCU("rcu "+r.name, r.switched)
}

// switched is the end of the switch to the atomic counter.
func (r *PercpuRef) switched(t *Task) {
	t.Touch(&r.obj, sim.Write)
	r.check(t, "switch to atomic mode")
	r.mode = refAtomic
	if r.count < 0 {
		t.Fail(RefcountMisuse, "percpu_ref %s: count %d <= 0 after switching to atomic mode", r.name, r.count)
	}
	if r.count == 0 {
		r.zero(t)
	}
}

// zero calls release, inside an RCU read section as the kernel does.
func (r *PercpuRef) zero(t *Task) {
	t.RCUReadLock()
	r.release(t)
	t.RCUReadUnlock()
}

// Exit is percpu_ref_exit. The kernel does not notice if the reference is still
// live; the simulator does.
func (r *PercpuRef) Exit(t *Task) {
	t.Check(r.mem)
	t.Touch(&r.obj, sim.Write)
	if r.mode == refPercpu || r.mode == refSwitching || r.count != 0 {
		t.Fail(RefcountMisuse, "percpu_ref_exit of %s, which is live or has %d reference(s) (%s)", r.name, r.count, t.Task)
	}
	r.mode = refNone
}

// Count is the number of references, as an auditor sees it.
func (r *PercpuRef) Count() int { return r.count }

// auditPercpuRefs looks for counters that percpu_ref_exit was never called for: their
// memory is lost.
func (k *Kernel) auditPercpuRefs() *sim.Failure {
	for _, r := range k.percpuRefs {
		if r.mode != refNone {
			return &sim.Failure{Kind: Leak, Message: "percpu_ref_exit was never called for " + r.name}
		}
	}
	return nil
}
