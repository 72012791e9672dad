package dmabufsim

import (
	"strconv"

	"dmasim/sim"
	"dmasim/sim/kernel"
)

// Fence is struct dma_fence (drivers/dma-buf/dma-fence.c). It is embedded in the
// driver's fence.
type Fence struct {
	Context  uint64
	Seqno    uint64
	Timeline string

	ops     *FenceOps
	seqno64 bool // DMA_FENCE_FLAG_SEQNO64_BIT

	obj  sim.Object
	kref sim.Object
	mem  *kernel.Mem
	refs int

	lock fenceLock
	// Under the lock, but for the flags, which are also read without it.
	signaled bool // DMA_FENCE_FLAG_SIGNALED_BIT
	stamped  bool // DMA_FENCE_FLAG_TIMESTAMP_BIT
	enabled  bool // DMA_FENCE_FLAG_ENABLE_SIGNAL_BIT
	detached bool // the ops are gone
	cbs      []*FenceCB
	sleepers int // default waiters, which the kernel has at the head of the list
	time     Ktime
	err      kernel.Errno

	array *FenceArray // of which this is the fence
	chain *FenceChain

	life      lifeOfFence
	published bool // some reservation object has it, or had it
	twoSteps  bool // the flags of a signal are set one by one, see signalLocked
}

// FenceOps is struct dma_fence_ops. All but the names are optional.
type FenceOps struct {
	DriverName   func(f *Fence) string
	TimelineName func(f *Fence) string
	// EnableSignaling asks the driver to see to it that the fence is signalled: at most
	// once, with the lock held and interrupts off. False says that it is done already.
	EnableSignaling func(t *kernel.Task, f *Fence) bool
	// Signaled polls the hardware.
	Signaled func(t *kernel.Task, f *Fence) bool
	// Wait replaces the default wait.
	Wait func(t *kernel.Task, f *Fence, intr bool, timeout kernel.Jiffies) kernel.Jiffies
	// Release is called for the last reference, in an RCU read section and in any context.
	// It must not free the fence before a grace period has passed.
	Release func(t *kernel.Task, f *Fence)
	// SetDeadline is a hint. The lock is not held.
	SetDeadline func(t *kernel.Task, f *Fence, deadline Ktime)
}

// named are the ops of a driver that has nothing but names.
var named = &FenceOps{
	DriverName:   func(f *Fence) string { return f.Timeline },
	TimelineName: func(f *Fence) string { return f.Timeline },
}

// Init is dma_fence_init for a driver that has nothing but names, as part of in, which is
// freed with the last reference.
func (f *Fence) Init(t *kernel.Task, in *kernel.Mem, timeline string, context, seqno uint64) {
	f.init(t, in, named, nil, timeline, context, seqno)
}

// InitOps is dma_fence_init, as part of in, which is freed with the last reference. A nil
// lock stands for one of the fence's own.
func (f *Fence) InitOps(t *kernel.Task, in *kernel.Mem, ops *FenceOps, lock *kernel.Spinlock, context, seqno uint64) {
	if ops == nil || ops.DriverName == nil || ops.TimelineName == nil {
		t.BUG("dma_fence_init: no ops, or a name is missing")
	}
	f.init(t, in, ops, lock, ops.TimelineName(f), context, seqno)
}

// Init64 is dma_fence_init64: the numbers are compared in all of their bits.
func (f *Fence) Init64(t *kernel.Task, in *kernel.Mem, ops *FenceOps, lock *kernel.Spinlock, context, seqno uint64) {
	f.InitOps(t, in, ops, lock, context, seqno)
	f.seqno64 = true
}

func (f *Fence) init(t *kernel.Task, in *kernel.Mem, ops *FenceOps, lock *kernel.Spinlock, timeline string, context, seqno uint64) {
	*f = Fence{Context: context, Seqno: seqno, Timeline: timeline, ops: ops, mem: in, refs: 1}
	t.OwnIn(&f.obj, in, "fence", f.String())
	t.OwnIn(&f.kref, in, "kref", f.String()+".refcount")
	f.lock.init(t, lock, ops.DriverName(f))
	f.life.created = t.Point()
}

func (f *Fence) String() string {
	return "fence " + f.Timeline + ":" + strconv.FormatUint(f.Context, 10) + ":" + strconv.FormatUint(f.Seqno, 10)
}

// Ops is the driver's; nil once the fence has signalled, in a kernel where that ends the
// need for the driver.
func (f *Fence) Ops() *FenceOps {
	if f.detached {
		return nil
	}
	return f.ops
}

// Signaled is the flag, as the holder of a reference or an auditor sees it:
// dma_fence_test_signaled_flag. It asks nobody.
func (f *Fence) Signaled() bool { return f.signaled }

// IsSignaled is dma_fence_is_signaled: asks the driver if it can be asked, and signals the
// fence if that says so. So other people's callbacks can run in here.
func (f *Fence) IsSignaled(t *kernel.Task) bool {
	t.Step(sim.Op{Verb: "dma_fence_is_signaled", Obj: &f.obj, Class: sim.Read})
	return f.isSignaled(t)
}

// isSignaled is IsSignaled as part of the operation that was granted last, as far as the
// flag goes.
func (f *Fence) isSignaled(t *kernel.Task) bool {
	t.Check(f.mem)
	t.Touch(&f.obj, sim.Read)
	t.Observe(&f.obj) // test_bit
	if f.signaled {
		return true
	}
	if f.ops.Signaled == nil || !f.ops.Signaled(t, f) {
		return false
	}
	f.Signal(t)
	return true
}

// GetStatus is dma_fence_get_status: 0 if the fence has not signalled, 1 if it has, or the
// negative error.
func (f *Fence) GetStatus(t *kernel.Task) int {
	f.enter(t, "dma_fence_get_status", sim.Read)
	defer f.leave(t)
	if !f.signaled && f.ops.Signaled != nil {
		f.hold(t)
		if f.ops.Signaled(t, f) {
			f.signalLocked(t, now(t))
		}
	}
	switch {
	case !f.signaled:
		return 0
	case f.err != kernel.OK:
		return -int(f.err)
	}
	return 1
}

// SetError is dma_fence_set_error, for who is about to signal. It is part of the operation
// that was granted last.
func (f *Fence) SetError(t *kernel.Task, err kernel.Errno) {
	t.Check(f.mem)
	t.Touch(&f.obj, sim.Write)
	if f.signaled {
		t.Warn("dma_fence_set_error: %s is signalled already", f)
	}
	if err < 1 || err > 4095 {
		t.Warn("dma_fence_set_error: %d is no error", -int(err))
	}
	f.err = err
}

// Ktime is ktime_t, in nanoseconds.
type Ktime int64

func now(t *kernel.Task) Ktime { return Ktime(t.Machine().Now()) }

// Timestamp is dma_fence_timestamp: when the fence signalled. It spins between the two
// flags of a signal.
func (f *Fence) Timestamp(t *kernel.Task) Ktime {
	t.Step(sim.Op{Verb: "dma_fence_timestamp", Obj: &f.obj, Class: sim.Read, Guard: (*fenceStamped)(f)})
	t.Check(f.mem)
	if !f.signaled {
		t.Warn("dma_fence_timestamp: %s is not signalled", f)
		return now(t)
	}
	return f.time
}

type fenceStamped Fence

func (f *fenceStamped) Ready(*sim.Task) bool { return !f.signaled || f.stamped }

// SetDeadline is dma_fence_set_deadline: a hint to the driver, and only to one that still
// has something to do.
func (f *Fence) SetDeadline(t *kernel.Task, deadline Ktime) {
	if f.ops.SetDeadline != nil && !f.IsSignaled(t) {
		f.ops.SetDeadline(t, f, deadline)
	}
}

// DriverName is dma_fence_driver_name. From RFCBase on a fence that has signalled no
// longer asks its driver, which may be gone, and readers need an RCU section for that.
func (f *Fence) DriverName(t *kernel.Task) string {
	return f.name(t, "dma_fence_driver_name", f.ops.DriverName, "detached-driver")
}

// TimelineName is dma_fence_timeline_name.
func (f *Fence) TimelineName(t *kernel.Task) string {
	return f.name(t, "dma_fence_timeline_name", f.ops.TimelineName, "signaled-timeline")
}

func (f *Fence) name(t *kernel.Task, call string, op func(*Fence) string, fixed string) string {
	newer := t.K.Profile >= kernel.RFCBase
	if newer && !t.RCUReadLockHeld() {
		t.Fail(kernel.Context, "suspicious RCU usage: %s(%s) outside a read section (%s)", call, f, t.Task)
	}
	t.Step(sim.Op{Verb: call, Obj: &f.obj, Class: sim.Read})
	t.Check(f.mem)
	if newer && f.signaled {
		return fixed
	}
	return op(f)
}
