package dmabufsim

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// Signal is dma_fence_signal: any context, once; later calls do nothing. Up to RFCBase it
// returns EINVAL if the fence was signalled already, later nothing, which is OK here.
func (f *Fence) Signal(t *kernel.Task) kernel.Errno { return before(t, f.signal(t)) }

// CheckAndSignal is dma_fence_check_and_signal: tells whether the fence was signalled
// before.
func (f *Fence) CheckAndSignal(t *kernel.Task) bool { return f.signal(t) }

func (f *Fence) signal(t *kernel.Task) bool {
	if f == nil {
		none(t, "dma_fence_signal")
		return true
	}
	cookie := BeginSignalling(t)
	defer EndSignalling(t, cookie)
	return f.signalTimestamp(t, "dma_fence_signal", now(t))
}

// none is a signal of no fence, which 6.12 bears in silence.
func none(t *kernel.Task, call string) {
	if t.K.Profile > kernel.V6_12 {
		t.Warn("%s of no fence", call)
	}
}

// SignalTimestamp is dma_fence_signal_timestamp: as of the given time. It is no signalling
// section of its own.
func (f *Fence) SignalTimestamp(t *kernel.Task, at Ktime) kernel.Errno {
	if f == nil {
		none(t, "dma_fence_signal_timestamp")
		return kernel.EINVAL
	}
	return before(t, f.signalTimestamp(t, "dma_fence_signal_timestamp", at))
}

// SignalLocked is dma_fence_signal_locked: the fence's lock is held.
func (f *Fence) SignalLocked(t *kernel.Task) kernel.Errno {
	return f.SignalTimestampLocked(t, now(t))
}

// SignalTimestampLocked is dma_fence_signal_timestamp_locked.
func (f *Fence) SignalTimestampLocked(t *kernel.Task, at Ktime) kernel.Errno {
	return before(t, f.stepLocked(t, at))
}

// CheckAndSignalLocked is dma_fence_check_and_signal_locked.
func (f *Fence) CheckAndSignalLocked(t *kernel.Task) bool { return f.stepLocked(t, now(t)) }

func (f *Fence) stepLocked(t *kernel.Task, at Ktime) bool {
	f.assertHeld(t, "dma_fence_signal_locked")
	t.Step(sim.Op{Verb: "dma_fence_signal_locked", Obj: &f.obj})
	t.Check(f.mem)
	return f.signalLocked(t, at)
}

func (f *Fence) signalTimestamp(t *kernel.Task, verb string, at Ktime) bool {
	f.enter(t, verb, sim.Write)
	defer f.leave(t)
	if f.signaled {
		f.did(t, sim.Read)
		return true
	}
	return f.signalLocked(t, at)
}

// before is what the signal family returns where it returns anything.
func before(t *kernel.Task, was bool) kernel.Errno {
	if was && t.K.Profile < kernel.V7_3 {
		return kernel.EINVAL
	}
	return kernel.OK
}

// signalLocked signals with the lock held, and tells whether the fence was signalled
// before. The callbacks run one after the other, each unlinked before it is called, so that
// it may use its own node again.
func (f *Fence) signalLocked(t *kernel.Task, at Ktime) bool {
	if f.signaled {
		return true
	}
	t.Touch(&f.obj, sim.Write)
	f.checkSignal(t)
	f.signaled = true
	if t.K.Profile >= kernel.V7_3 && f.ops.Release == nil && f.ops.Wait == nil {
		f.detached = true
	}
	cbs := f.cbs
	f.cbs = nil
	if f.twoSteps {
		// A reader between the two flags spins, so that whether there is a moment between
		// them makes no difference otherwise.
		f.hold(t)
		t.Step(sim.Op{Verb: "dma_fence_signal, timestamp", Obj: &f.obj})
	}
	f.time, f.stamped = at, true
	for _, cb := range cbs {
		t.Access(cb.In)
		cb.linked = false
		f.hold(t)
		cb.fn(t, f, cb)
	}
	return false
}
