package kernel

import (
	"fmt"
	"math"

	"dmasim/sim"
)

// PercpuRef is struct percpu_ref (lib/percpu-refcount.c): a reference count that is cheap
// as long as nobody needs to know whether it is zero.
//
// In per-CPU mode gets and puts count on the CPU where they are, and reach no zero. In
// atomic mode there is one counter, and the put that takes it to zero calls release. A
// switch to atomic mode takes an RCU grace period, in which some still count on their CPUs
// and others do not: so the atomic counter has a bias then, and no put finds zero. At the
// end of the grace period the per-CPU counters are summed and the bias goes.
//
// Kill drops the initial reference, which the ref was born with, and switches to atomic
// mode. All changes of mode, and exit, are done under one lock of the whole kernel.
//
// release is called by whoever drops the last reference: the callback of the switch, a
// put in any context, or Kill itself if the ref was in atomic mode already; then the global
// lock is held and interrupts are off. It is always inside an RCU read section, and so
// never may sleep.
type PercpuRef struct {
	obj  sim.Object
	mem  *Mem
	name string

	counters  percpuCounter
	allocated bool // counters is
	atomic    bool // __PERCPU_REF_ATOMIC
	dead      bool // __PERCPU_REF_DEAD
	data      *refData
	stash     int64 // the count when it exited
}

// refData is struct percpu_ref_data. It is gone after exit.
type refData struct {
	count       int64
	biased      bool // count is, since it is not the only counter
	release     func(*Task)
	confirm     func(*Task)
	switching   bool // to atomic mode
	pinned      bool // the switch has a reference of its own
	waiting     int  // tasks that wait for the end of that
	forceAtomic bool
	allowReinit bool
}

// refBias is PERCPU_COUNT_BIAS.
const refBias = math.MinInt64

// RefFlags says how a ref begins.
type RefFlags uint8

const (
	// RefInitAtomic is PERCPU_REF_INIT_ATOMIC: in atomic mode, to stay there until
	// SwitchToPercpu. It implies RefAllowReinit.
	RefInitAtomic RefFlags = 1 << iota
	// RefInitDead is PERCPU_REF_INIT_DEAD: as after a kill and with no reference, for
	// Reinit to begin with. It implies RefAllowReinit.
	RefInitDead
	// RefAllowReinit is PERCPU_REF_ALLOW_REINIT: from atomic mode there is a way back.
	// Without it the per-CPU counters are freed with the first switch.
	RefAllowReinit
)

// percpuCount is the class of gets, and of puts in per-CPU mode: none of them can
// see the others.
const percpuCount = sim.Commute

// Init is percpu_ref_init without flags: ENOMEM if the counters cannot be allocated.
func (r *PercpuRef) Init(t *Task, in *Mem, name string, gfp GFP, release func(*Task)) Errno {
	return r.InitFlags(t, in, name, 0, gfp, release)
}

// InitFlags is percpu_ref_init.
func (r *PercpuRef) InitFlags(t *Task, in *Mem, name string, flags RefFlags, gfp GFP, release func(*Task)) Errno {
	if err := t.MayFail(gfp, "percpu_ref"); err != OK {
		return err
	}
	t.own(&r.obj, in, "percpu_ref", name)
	d := &refData{release: release, allowReinit: flags != 0, forceAtomic: flags&RefInitAtomic != 0}
	*r = PercpuRef{obj: r.obj, mem: in, name: name, allocated: true, data: d}
	r.dead = flags&RefInitDead != 0
	r.atomic = r.dead || d.forceAtomic
	if !r.atomic {
		d.count, d.biased = refBias, true
	}
	if !r.dead {
		d.count++
	}
	t.K.percpuRefs = append(t.K.percpuRefs, r)
	return OK
}

// check is for the calls that need what exit frees.
func (r *PercpuRef) check(t *Task, call string) {
	t.Check(r.mem)
	if r.data == nil {
		t.Fail(UseAfterFree, "%s of %s, which has exited (%s)", call, r.name, t.Task)
	}
}

// misuse is a WARN_ON_ONCE, or what the kernel does not notice.
func (r *PercpuRef) misuse(t *Task, format string, args ...any) {
	t.Flag(RefcountMisuse, t.circumstances(), "%s (%s)", fmt.Sprintf(format, args...), t.Task)
}

// percpu is __ref_is_percpu.
func (r *PercpuRef) percpu() bool { return !r.atomic && !r.dead }

// IsDying is percpu_ref_is_dying: it has been killed, or has exited.
func (r *PercpuRef) IsDying(t *Task) bool {
	t.Step(sim.Op{Verb: "percpu_ref_is_dying", Obj: &r.obj, Class: sim.Read})
	t.Check(r.mem)
	return r.dead
}

// IsZero is percpu_ref_is_zero: never in per-CPU mode, nor while it switches; and also
// after exit.
func (r *PercpuRef) IsZero(t *Task) bool {
	const call = "percpu_ref_is_zero"
	t.Step(sim.Op{Verb: call, Obj: &r.obj, Class: sim.Read})
	t.Check(r.mem)
	if r.percpu() {
		return false
	}
	l := &t.K.refSwitch
	l.lock(t, r, call)
	count := r.stash
	if r.data != nil {
		count = r.data.count
	}
	l.unlock(t)
	t.Locked(&r.obj)
	return count == 0
}

// Exit is percpu_ref_exit: of a ref that is dead and at zero, or that nobody but its
// creator has seen. The kernel does not notice if there are references; the simulator
// does. It belongs to the operation before.
func (r *PercpuRef) Exit(t *Task) {
	const call = "percpu_ref_exit"
	t.Check(r.mem)
	t.Touch(&r.obj, sim.Write)
	d := r.data
	switch {
	case d == nil:
		return
	case d.switching:
		r.misuse(t, "%s of %s, which is switching to atomic mode", call, r.name)
	case r.Count() > boolInt(!r.dead):
		r.misuse(t, "%s of %s, which has %d reference(s)", call, r.name, r.Count())
	}
	r.freeCounters()
	l := &t.K.refSwitch
	l.lock(t, r, call)
	r.stash, r.data = d.count<<2>>2, nil // beside two flags there is no room for the bias
	l.unlock(t)
	t.Locked(&r.obj)
}

// freeCounters is __percpu_ref_exit: a ref without them looks dead.
func (r *PercpuRef) freeCounters() {
	r.counters, r.allocated = percpuCounter{}, false
	r.atomic, r.dead = true, true
}

// Count is the number of references, as an auditor sees it.
func (r *PercpuRef) Count() int {
	d := r.data
	if d == nil {
		return int(r.stash)
	}
	n := d.count - int64(boolInt(d.pinned))
	if d.biased {
		n += r.counters.sum() - refBias
	}
	return int(n)
}

// auditPercpuRefs looks for counters that percpu_ref_exit was never called for: their
// memory is lost.
func (k *Kernel) auditPercpuRefs() *sim.Failure {
	for _, r := range k.percpuRefs {
		if r.data != nil {
			return &sim.Failure{Kind: Leak, Message: "percpu_ref_exit was never called for " + r.name}
		}
	}
	return nil
}
