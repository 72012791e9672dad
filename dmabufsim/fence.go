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

	obj      sim.Object
	kref     sim.Object
	mem      *kernel.Mem
	refs     int
	signaled bool
}

// Init is dma_fence_init, as part of in, which is freed with the last reference.
func (f *Fence) Init(t *kernel.Task, in *kernel.Mem, timeline string, context, seqno uint64) {
	f.Context, f.Seqno, f.Timeline = context, seqno, timeline
	f.mem, f.refs, f.signaled = in, 1, false
	t.Own(&f.obj, "fence", f.String())
	t.Own(&f.kref, "kref", f.String()+".refcount")
}

func (f *Fence) String() string {
	return "fence " + f.Timeline + ":" + strconv.FormatUint(f.Context, 10) + ":" + strconv.FormatUint(f.Seqno, 10)
}

// Get is dma_fence_get.
func (f *Fence) Get(t *kernel.Task) *Fence {
	t.Check(f.mem)
	t.Touch(&f.kref, kernel.RefcountGet)
	f.refs++
	return f
}

// Put is dma_fence_put. An unsignalled fence without waiters goes silently, as in the
// kernel (C-FENCE-18).
func (f *Fence) Put(t *kernel.Task) {
	t.Check(f.mem)
	t.Touch(&f.kref, sim.Write)
	f.refs--
	if f.refs == 0 {
		t.Free(f.mem)
		t.Touch(&f.obj, sim.Write)
	}
}

// Signal is dma_fence_signal: any context, once; later calls do nothing.
func (f *Fence) Signal(t *kernel.Task) {
	t.Step(sim.Op{Verb: "dma_fence_signal", Obj: &f.obj})
	t.Check(f.mem)
	f.signaled = true
}

// Ready tells whether a wait would end at once.
func (f *Fence) Ready(*sim.Task) bool { return f.signaled }

// Wait is dma_fence_wait, uninterruptible. The caller has a reference.
func (f *Fence) Wait(t *kernel.Task) {
	t.MightSleep("dma_fence_wait", "")
	t.Check(f.mem)
	t.Step(sim.Op{Verb: "dma_fence_wait", Obj: &f.obj, Class: sim.Read, Guard: f})
}

// Signaled is the flag, as the holder of a reference or an auditor sees it.
func (f *Fence) Signaled() bool { return f.signaled }

// later tells whether f comes after g on their timeline: the signed difference of
// the low 32 bits of their numbers, as dma_fence_is_later without SEQNO64.
func (f *Fence) later(g *Fence) bool { return int32(uint32(f.Seqno)-uint32(g.Seqno)) > 0 }
