package dmabufsim

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// FenceArray is struct dma_fence_array: a fence that signals when all of its fences have,
// or any of them.
type FenceArray struct {
	kernel.Mem
	Fence
	Fences []*Fence

	pending sim.Object
	count   int
	cbs     []FenceCB
	unset   bool // no error so far
}

var arrayOps = &FenceOps{
	DriverName:      func(*Fence) string { return "dma_fence_array" },
	TimelineName:    func(*Fence) string { return "unbound" },
	EnableSignaling: func(t *kernel.Task, f *Fence) bool { return f.array.enable(t) },
	Signaled:        func(t *kernel.Task, f *Fence) bool { return f.array.signaled(t) },
	Release:         func(t *kernel.Task, f *Fence) { f.array.release(t) },
	SetDeadline: func(t *kernel.Task, f *Fence, deadline Ktime) {
		for _, g := range f.array.Fences {
			g.SetDeadline(t, deadline)
		}
	},
}

// NewFenceArray is dma_fence_array_create, which takes the caller's references over. Nil if
// there is no memory.
func NewFenceArray(t *kernel.Task, all []*Fence, context, seqno uint64, any bool) *FenceArray {
	a := &FenceArray{Fences: all, count: len(all), unset: true, cbs: make([]FenceCB, len(all))}
	if t.Alloc(kernel.GFP_KERNEL, &a.Mem, "dma_fence_array") != kernel.OK {
		return nil
	}
	if len(all) == 0 {
		t.Warn("dma_fence_array_init: no fences")
	}
	a.InitOps(t, &a.Mem, arrayOps, nil, context, seqno)
	a.array = a
	t.Own(&a.pending, "atomic", a.Fence.String()+".num_pending")
	if any {
		a.count = 1
	}
	for _, f := range all {
		if f.IsContainer() {
			t.Warn("dma_fence_array_init: %s is a container itself", f)
		}
	}
	return a
}

// IsContainer is dma_fence_is_container: the fence stands for others.
func (f *Fence) IsContainer() bool { return f.array != nil || f.chain != nil }

// enable adds a callback to every fence. The lock of the array is held.
func (a *FenceArray) enable(t *kernel.Task) bool {
	for i, f := range a.Fences {
		a.Get(t)
		if f.AddCallback(t, &a.cbs[i], a.one) == kernel.OK {
			continue
		}
		a.takeError(t, f)
		a.Put(t)
		if a.done(t) {
			return false
		}
	}
	return true
}

// one is the callback of each fence. The array is signalled from elsewhere, since the lock of
// another fence is held here.
func (a *FenceArray) one(t *kernel.Task, f *Fence, _ *FenceCB) {
	a.takeError(t, f)
	if !a.done(t) {
		a.Put(t)
		return
	}
	t.Interrupt("dma_fence_array irq_work", func(t *kernel.Task) {
		a.Signal(t)
		a.Put(t)
	})
}

// takeError keeps the first error of the fences.
func (a *FenceArray) takeError(t *kernel.Task, f *Fence) {
	if f.err == kernel.OK {
		return
	}
	t.Touch(&a.pending, sim.Write)
	if a.unset && !a.Fence.signaled {
		a.err, a.unset = f.err, false
	}
}

// done counts one fence off, and tells whether it was the last one that mattered.
func (a *FenceArray) done(t *kernel.Task) bool {
	t.Step(sim.Op{Verb: "atomic_dec_and_test", Obj: &a.pending})
	t.Release(&a.pending)
	if a.count--; a.count != 0 {
		return false
	}
	t.Acquire(&a.pending)
	return true
}

// signaled asks the fences, unless their callbacks do the counting.
func (a *FenceArray) signaled(t *kernel.Task) bool {
	t.Step(sim.Op{Verb: "atomic_read", Obj: &a.pending, Class: sim.Read})
	left := a.count
	t.Touch(&a.obj, sim.Read)
	if a.enabled {
		return left <= 0
	}
	for _, f := range a.Fences {
		if f.IsSignaled(t) {
			if left--; left == 0 {
				return true
			}
		}
	}
	return false
}

func (a *FenceArray) release(t *kernel.Task) {
	for _, f := range a.Fences {
		f.Put(t)
	}
	a.Free(t)
}
