package dmabufsim

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// FenceFunc is dma_fence_func_t: it runs in the context of whoever signals, with the lock of
// the fence held and interrupts off.
type FenceFunc func(t *kernel.Task, f *Fence, cb *FenceCB)

// FenceCB is struct dma_fence_cb: the place of a callback on the list of a fence. It can be
// on one list at a time.
type FenceCB struct {
	// In is the memory that the node is part of, nil for static storage.
	In *kernel.Mem

	fn     FenceFunc
	fence  *Fence
	linked bool
}

// AddCallback is dma_fence_add_callback: fn runs when the fence signals. ENOENT says that it
// has signalled already, and that fn will not run.
func (f *Fence) AddCallback(t *kernel.Task, cb *FenceCB, fn FenceFunc) kernel.Errno {
	if f == nil || fn == nil {
		t.Warn("dma_fence_add_callback: no fence, or no function")
		return kernel.EINVAL
	}
	t.Access(cb.In)
	if cb.linked {
		t.Fail(sim.Misuse, "dma_fence_add_callback: list_add corruption: the node of a callback of %s is added to %s (%s)", cb.fence, f, t.Task)
	}
	cb.fence = f
	if f.lock.ext != nil { // the flag is tested before the lock is taken
		t.Step(sim.Op{Verb: "dma_fence_add_callback", Obj: &f.obj, Class: sim.Read})
		t.Check(f.mem)
		if f.signaled {
			return kernel.ENOENT
		}
	}
	f.enterIf(t, "dma_fence_add_callback", sim.Write, (*signaledOrUnlocked)(f))
	if f.lock.ext == nil && f.lock.owner != t || f.signaled && f.lock.shown {
		f.did(t, sim.Read) // a callback of the same signal is running
		return kernel.ENOENT
	}
	defer f.leave(t)
	if f.signaled {
		f.did(t, sim.Read)
		return kernel.ENOENT
	}
	if f.lock.ext == nil {
		f.lock.dep.Wait(t)
	}
	if !f.enableLocked(t) {
		return kernel.ENOENT
	}
	cb.fn, cb.linked = fn, true
	f.cbs = append(f.cbs, cb)
	return kernel.OK
}

// signaledOrUnlocked is the guard of who need not wait for the lock of a signalled fence.
type signaledOrUnlocked Fence

func (f *signaledOrUnlocked) Ready(*sim.Task) bool { return f.signaled || f.lock.owner == nil }
func (f *signaledOrUnlocked) Owners(*sim.Task) []*sim.Task {
	return []*sim.Task{f.lock.owner.Task}
}

// RemoveCallback is dma_fence_remove_callback: true if the callback has not run and will
// not. When it returns, a callback that was running has ended.
func (f *Fence) RemoveCallback(t *kernel.Task, cb *FenceCB) bool {
	t.Access(cb.In)
	if cb.fence != f {
		t.Fail(sim.Misuse, "dma_fence_remove_callback: the callback was never added to %s (%s)", f, t.Task)
	}
	f.enter(t, "dma_fence_remove_callback", sim.Write)
	defer f.leave(t)
	if !cb.linked {
		f.did(t, sim.Read)
		return false
	}
	cb.linked = false
	for i, c := range f.cbs {
		if c == cb {
			f.cbs = append(f.cbs[:i:i], f.cbs[i+1:]...)
			break
		}
	}
	return true
}

// EnableSwSignaling is dma_fence_enable_sw_signaling: asks the driver to signal the fence,
// if nobody has asked it yet.
func (f *Fence) EnableSwSignaling(t *kernel.Task) {
	if f.ops.EnableSignaling == nil && f.lock.ext == nil { // a flag that nobody looks at
		f.enabled = true
		return
	}
	f.enter(t, "dma_fence_enable_sw_signaling", sim.Write)
	if f.enabled {
		f.did(t, sim.Read)
	}
	f.enableLocked(t)
	f.leave(t)
}

// enableLocked is __dma_fence_enable_signaling: false if the fence is signalled, which it
// is if the driver says that it is too late to ask.
func (f *Fence) enableLocked(t *kernel.Task) bool {
	asked := f.enabled
	f.enabled = true
	if f.signaled {
		return false
	}
	if asked || f.ops.EnableSignaling == nil {
		return true
	}
	f.hold(t)
	f.isAsked(t)
	if t.Asking(func() bool { return f.ops.EnableSignaling(t, f) }) {
		return true
	}
	f.signalLocked(t, now(t))
	return false
}
