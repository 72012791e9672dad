package dmabufsim

import (
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// fenceCore is what there is once in a kernel.
type fenceCore struct {
	signalling *kernel.LockMap // dma_fence_lockdep_map
	contexts   uint64
	stub       stub
	resvs      []*Resv // that were not finished
	devices    map[*hw.IOMMU][]*Attachment
	mappings   int // so far
	accesses   []access
	published  []*Fence // in a traced run
}

// fenceSystem boots when it is first needed.
func fenceSystem(t *kernel.Task) *fenceCore {
	return t.Subsystem(fencesKey{}, func() any { return bootFences(t) }).(*fenceCore)
}

type fencesKey struct{}

// bootFences tells lockdep the order of the contract between drivers, and reclaim of those
// who wait for fences in it.
func bootFences(t *kernel.Task) *fenceCore {
	s := &fenceCore{signalling: t.LockMap("dma_fence_map")}
	s.stub.own(t)
	class := resvClass(t)
	reclaim := t.FsReclaim()
	t.Documented(t.LockMap("mmap_lock"), class.AcquireMap(), class.LockMap(), reclaim, t.MmuNotifier(), s.signalling)
	t.Documented(reclaim, t.LockMap("i_mmap_rwsem"))
	t.K.RegisterShrinker("fences of other drivers", s.waitForAll)
	t.K.RegisterNotifier("fences of other drivers", s.waitForAll)
	return s
}

// waitForAll is what a driver may do in reclaim: it waits for the fences that anybody has
// published up to now.
func (s *fenceCore) waitForAll(t *kernel.Task) {
	for _, r := range s.resvs {
		for _, f := range r.snapshot(t, UsageBookkeep) {
			f.Wait(t)
			f.Put(t)
		}
	}
}

// FenceContextAlloc is dma_fence_context_alloc: the first of n new timelines.
func FenceContextAlloc(t *kernel.Task, n uint64) uint64 {
	if n == 0 {
		t.Warn("dma_fence_context_alloc: no contexts asked for")
	}
	return fenceSystem(t).alloc(n)
}

func (s *fenceCore) alloc(n uint64) uint64 {
	s.contexts += n
	return s.contexts - n + 1
}

// BeginSignalling is dma_fence_begin_signalling: what follows is needed for a published
// fence to signal, up to EndSignalling, which is given what this returns. Sections nest. In
// atomic context there is none, since nothing there may sleep anyway.
//
// In a section the locks that are taken are ordered after the wait for a fence. The section
// itself is not ordered after the locks that are held where it begins.
func BeginSignalling(t *kernel.Task) (cookie bool) {
	m := fenceSystem(t).signalling
	if m.Held(t) || t.InAtomic() {
		return true
	}
	m.Acquire(t, true)
	return false
}

// EndSignalling is dma_fence_end_signalling.
func EndSignalling(t *kernel.Task, cookie bool) {
	if !cookie {
		fenceSystem(t).signalling.Release(t)
	}
}

// mightWait is __dma_fence_might_wait: whatever is held is ordered before the wait for a
// fence, but for a signalling section. So waiting in one is not wrong by itself.
func mightWait(t *kernel.Task) {
	m := fenceSystem(t).signalling
	held := m.Held(t)
	if held {
		m.Release(t)
	}
	m.WaitFor(t)
	if held {
		m.Acquire(t, true)
	}
}
