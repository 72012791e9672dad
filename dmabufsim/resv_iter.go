package dmabufsim

import (
	"iter"

	"dmasim/sim"
	"dmasim/sim/kernel"
)

// Fences is dma_resv_for_each_fence, for the holder of the lock: all fences of the usage and
// of stronger ones, those too that have signalled. It takes no references.
func (r *Resv) Fences(t *kernel.Task, u Usage) iter.Seq2[*Fence, Usage] {
	return func(yield func(*Fence, Usage) bool) {
		r.AssertHeld(t, "dma_resv_iter_first")
		// Only who holds the lock changes the list, so the lock's operations order this.
		for i := 0; i < r.fences.count(); i++ {
			if e := r.fences.entries[i]; e.usage <= u && !yield(e.fence, e.usage) {
				return
			}
		}
	}
}

// Iter is struct dma_resv_iter for dma_resv_for_each_fence_unlocked: it walks the
// unsignalled fences, with a reference of each while it is there. The lock may be held, and
// need not be.
//
// A walk starts again from the beginning if the list was exchanged, or if a fence went away
// under its feet. It sees what is put into slots that it has not come to, and nothing of
// what is appended.
type Iter struct {
	r     *Resv
	usage Usage

	list      *resvList
	num       int
	index     int
	begun     bool
	restarted bool
	fence     *Fence
	its       Usage
}

// Iter is dma_resv_iter_begin.
func (r *Resv) Iter(u Usage) *Iter { return &Iter{r: r, usage: u} }

// Restarted is dma_resv_iter_is_restarted: the fence is the first one of a walk, and what
// was collected before does not count.
func (it *Iter) Restarted() bool { return it.restarted }

// Usage is dma_resv_iter_usage, of the fence.
func (it *Iter) Usage() Usage { return it.its }

// End is dma_resv_iter_end.
func (it *Iter) End(t *kernel.Task) {
	it.fence.Put(t)
	it.fence = nil
}

// Next is dma_resv_iter_first_unlocked and then dma_resv_iter_next_unlocked: nil at the end.
// It is in an RCU section only while it runs.
func (it *Iter) Next(t *kernel.Task) *Fence {
	t.RCUReadLock()
	defer t.RCUReadUnlock()
	it.restarted = false
	it.load(t)
	for {
		it.walk(t)
		// The pointer is compared in the operation that the walk ended with.
		t.Touch(&it.r.list, sim.Read)
		if it.r.fences == it.list {
			return it.fence
		}
		it.load(t)
	}
}

// load reads the pointer, and starts again if it has changed.
func (it *Iter) load(t *kernel.Task) {
	t.Step(sim.Op{Verb: "dma_resv_iter", Obj: &it.r.list, Class: sim.Read})
	t.Acquire(&it.r.list)
	if !it.begun || it.r.fences != it.list {
		it.restart(t)
	}
}

func (it *Iter) restart(t *kernel.Task) {
	t.Touch(&it.r.list, sim.Read)
	it.begun, it.restarted, it.index = true, true, 0
	it.list = it.r.fences
	it.num = it.list.count()
}

// walk goes on to the next fence that has not signalled. The operation before it has
// looked at the list.
func (it *Iter) walk(t *kernel.Task) {
	for first := true; ; first = false {
		it.fence.Put(t)
		it.fence = nil
		if it.list == nil || it.index >= it.num {
			return
		}
		if !first {
			t.Step(sim.Op{Verb: "dma_resv_iter", Obj: &it.r.list, Class: sim.Read})
			t.Acquire(&it.r.list)
		}
		t.Check(&it.list.Mem)
		e := it.list.entries[it.index]
		it.index++
		it.fence, it.its = e.fence.GetRCU(t), e.usage
		if it.fence == nil {
			it.restart(t)
			continue
		}
		if !it.fence.isSignaled(t) && it.its <= it.usage {
			return
		}
	}
}

// snapshot is what a walk without the lock collects, with a reference of each.
func (r *Resv) snapshot(t *kernel.Task, u Usage) (out []*Fence) {
	it := r.Iter(u)
	for f := it.Next(t); f != nil; f = it.Next(t) {
		if it.Restarted() {
			for _, g := range out {
				g.Put(t)
			}
			out = out[:0]
		}
		out = append(out, f.Get(t))
	}
	return out
}

// GetFences is dma_resv_get_fences: the unsignalled fences of the usage and of all stronger
// ones, with a reference of each.
func (r *Resv) GetFences(t *kernel.Task, u Usage) (out []*Fence, err kernel.Errno) {
	it := r.Iter(u)
	defer it.End(t)
	for f := it.Next(t); f != nil; f = it.Next(t) {
		if it.Restarted() {
			for _, g := range out {
				g.Put(t)
			}
			out = nil
			if err := t.MayFail(kernel.GFP_KERNEL, "dma_resv_get_fences"); err != kernel.OK {
				return nil, err
			}
		}
		out = append(out, f.Get(t))
	}
	return out, kernel.OK
}

// GetSingleton is dma_resv_get_singleton: one fence for all of them, nil if there are none.
// It may be a container, and must not be put back.
func (r *Resv) GetSingleton(t *kernel.Task, u Usage) (*Fence, kernel.Errno) {
	all, err := r.GetFences(t, u)
	switch {
	case err != kernel.OK || len(all) == 0:
		return nil, err
	case len(all) == 1:
		return all[0], kernel.OK
	}
	a := NewFenceArray(t, all, FenceContextAlloc(t, 1), 1, false)
	if a == nil {
		for _, f := range all {
			f.Put(t)
		}
		return nil, kernel.ENOMEM
	}
	return &a.Fence, kernel.OK
}

// fencesOf is dma_resv_get_fences as the holder of the lock calls it: the unsignalled
// fences of the usage and of all stronger ones, with a reference of each.
func (r *Resv) fencesOf(t *kernel.Task, u Usage) (out []*Fence) {
	for f := range r.Fences(t, u) {
		if !f.isSignaled(t) {
			out = append(out, f.Get(t))
		}
	}
	return out
}
