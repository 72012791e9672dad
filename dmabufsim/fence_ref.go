package dmabufsim

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// Get is dma_fence_get: the caller has a reference already. A nil fence has none.
func (f *Fence) Get(t *kernel.Task) *Fence {
	if f == nil {
		return nil
	}
	t.Check(f.mem)
	t.Touch(&f.kref, kernel.RefcountGet)
	if f.refs <= 0 {
		t.Fail(kernel.RefcountMisuse, "refcount_t: addition on 0; use-after-free: %s", f.kref.Name)
	}
	f.refs++
	return f
}

// GetRCU is dma_fence_get_rcu, in a read section: nil if the last reference has gone.
func (f *Fence) GetRCU(t *kernel.Task) *Fence {
	t.Step(sim.Op{Verb: "dma_fence_get_rcu", Obj: &f.kref})
	t.Check(f.mem)
	if f.refs == 0 {
		t.Did(sim.Read)
		return nil
	}
	t.Did(kernel.RefcountGet)
	f.refs++
	return f
}

// GetRCUSafe is dma_fence_get_rcu_safe: a reference of the fence that the pointer has, even
// if it is exchanged meanwhile. Nil if there is none.
func GetRCUSafe(t *kernel.Task, p *kernel.RCU[Fence]) *Fence {
	for {
		f := p.Dereference(t)
		if f == nil {
			return nil
		}
		if f.GetRCU(t) == nil {
			continue
		}
		if p.Dereference(t) == f {
			return f
		}
		f.Put(t)
	}
}

// Put is dma_fence_put, in any context. An unsignalled fence without waiters goes
// silently, as in the kernel (C-FENCE-18).
func (f *Fence) Put(t *kernel.Task) {
	if f == nil {
		return
	}
	t.Check(f.mem)
	t.Touch(&f.kref, sim.Write)
	if f.refs <= 0 {
		t.Fail(kernel.RefcountMisuse, "refcount_t: underflow; use-after-free: %s", f.kref.Name)
	}
	f.refs--
	t.Release(&f.kref)
	if f.refs == 0 {
		t.Acquire(&f.kref)
		f.release(t)
	}
}

// release is dma_fence_release.
func (f *Fence) release(t *kernel.Task) {
	t.Touch(&f.obj, sim.Write)
	if !f.signaled && (len(f.cbs) > 0 || f.sleepers > 0) {
		t.Warn("Fence %s:%s:%x:%x released with pending signals!", f.ops.DriverName(f), f.ops.TimelineName(f), f.Context, f.Seqno)
		f.enter(t, "dma_fence_release", sim.Write)
		f.err = kernel.EDEADLK
		f.signalLocked(t, now(t))
		f.leave(t)
	}
	if f.ops.Release == nil {
		f.Free(t)
		return
	}
	t.RCUReadLock()
	f.ops.Release(t, f)
	t.RCUReadUnlock()
}

// Free is dma_fence_free, the default release: the memory goes after a grace period.
func (f *Fence) Free(t *kernel.Task) {
	if f.mem != nil {
		t.FreeRCU(f.mem)
	}
}
