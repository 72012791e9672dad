package dmabufsim

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// stub is the fence that is signalled from the start. It is static: its first reference is
// never dropped.
type stub struct {
	obj   sim.Object // dma_fence_stub_lock
	ready bool
	fence Fence
}

var stubOps = &FenceOps{
	DriverName:   func(*Fence) string { return "stub" },
	TimelineName: func(*Fence) string { return "stub" },
}

func (s *stub) own(t *kernel.Task) {
	t.OwnStatic(&s.obj, "spinlock", "dma_fence_stub_lock")
}

// GetStub is dma_fence_get_stub: a reference of the fence that is signalled from the start,
// which is when it is first asked for.
func GetStub(t *kernel.Task) *Fence {
	s := &fenceSystem(t).stub
	t.Step(sim.Op{Verb: "dma_fence_get_stub", Obj: &s.obj})
	if !s.ready {
		s.ready = true
		s.fence = Fence{Timeline: "stub", ops: stubOps, refs: 1}
		t.OwnStatic(&s.fence.obj, "fence", "stub")
		t.OwnStatic(&s.fence.kref, "kref", "stub")
		s.fence.lock.init(t, nil, "stub")
		s.fence.finished(t, now(t))
	}
	return s.fence.Get(t)
}

// PrivateStub is a fence of the caller's own that is signalled from the start.
type PrivateStub struct {
	kernel.Mem
	Fence
}

// AllocPrivateStub is dma_fence_allocate_private_stub: nil if there is no memory.
func AllocPrivateStub(t *kernel.Task, at Ktime) *Fence {
	s := &PrivateStub{}
	if t.Alloc(kernel.GFP_KERNEL, &s.Mem, "dma_fence stub") != kernel.OK {
		return nil
	}
	s.InitOps(t, &s.Mem, stubOps, nil, 0, 0)
	s.finished(t, at)
	return &s.Fence
}

// finished makes a fence that nobody has seen a signalled one.
func (f *Fence) finished(t *kernel.Task, at Ktime) {
	f.enabled = true
	f.signalLocked(t, at)
}
