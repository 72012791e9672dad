package dmatoken

import (
	"dmasim/dmabufsim"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// dmaToken is struct blk_mq_dma_token.
type dmaToken struct {
	kernel.Mem
	fixes token.Fix
	reg   token.Reg
	q     token.Queue
	wq    *kernel.Workqueue
	// unmapWq is nil if the work that signals the fence unmaps, too.
	unmapWq *kernel.Workqueue
	driver  token.Driver

	dmaMap      kernel.RCU[dmaMap] // map
	mappingLock kernel.Mutex
	refs        kernel.Refcount      // one from the registration, one per map allocated
	fenceSeq    kernel.Field[uint64] // counted under mappingLock
	fenceCtx    uint64
}

// dmaMap is struct blk_mq_dma_map: one generation of the mapping.
type dmaMap struct {
	token.Map
	refs     kernel.PercpuRef
	token    *dmaToken
	fence    *dmaFence
	freeWork kernel.Work
	// unmapWork is of the repaired design.
	unmapWork kernel.Work
}

// dmaFence is struct blk_mq_dma_fence.
type dmaFence struct {
	kernel.Mem
	dmabufsim.Fence
}

// Import does nothing: RFC v2 takes no map before a request exists.
func (tok *dmaToken) Import(*kernel.Task, *token.Use) kernel.Errno { return kernel.OK }

// Split shares the token: a clone copies its pointer (BIO-2).
func (tok *dmaToken) Split(t *kernel.Task, parent, child *token.Frag) {}

// Submit is ASSIGN.
func (tok *dmaToken) Submit(t *kernel.Task, f *token.Frag) token.Outcome {
	s := tok.assign(t, f)
	return token.Outcome{Status: s, FreeRequest: tok.fixes.Has(token.FixFreeRequest)}
}

// Queue gives the driver the request's map.
func (tok *dmaToken) Queue(t *kernel.Task, f *token.Frag) (*token.Map, token.Outcome) {
	return f.Map, token.Outcome{}
}

// Requeue keeps the reference (CMP-4).
func (tok *dmaToken) Requeue(*kernel.Task, *token.Frag) {}

// Complete does nothing: the reference goes with the request.
func (tok *dmaToken) Complete(*kernel.Task, *token.Frag) {}

// Free drops the request's reference if the request is freed singly (CMP-3); the
// batch path has nothing of the kind (CMP-3a).
func (tok *dmaToken) Free(t *kernel.Task, f *token.Frag, p token.Path) {
	if p == token.Batch && !tok.fixes.Has(token.FixFreeInBatch) {
		t.Stressf("CMP-3a", "freed in a batch: %v is not put", f.Map)
		return
	}
	if f.Map != nil {
		m := f.Priv.(*dmaMap)
		t.Atf("CMP-3", "put %v", m)
		m.refs.Put(t)
		f.Map, f.Priv = nil, nil
	}
}

// Finish does nothing.
func (tok *dmaToken) Finish(*kernel.Task, *token.Use) {}

// Invalidate is REMOVE, from the driver's move_notify.
func (tok *dmaToken) Invalidate(t *kernel.Task) { tok.remove(t) }

// Unregister is RELEASE.
func (tok *dmaToken) Unregister(t *kernel.Task) {
	resv := &tok.reg.DmaBuf.Resv
	t.At("RELEASE", "dma_resv_lock()")
	resv.Lock(t, nil)
	tok.remove(t)
	t.At("RELEASE", "dma_resv_unlock()")
	resv.Unlock(t)
	tok.put(t)
}

// put is TOKEN-PUT.
func (tok *dmaToken) put(t *kernel.Task) {
	t.At("TOKEN-PUT", "put token")
	if !tok.refs.DecAndTest(t) {
		return
	}
	t.Mark("TOKEN-PUT last")
	tok.driver.CleanDmaToken(t, &tok.reg)
	tok.reg.DmaBuf.Put(t)
	if tok.fixes.Has(token.FixPutQueue) {
		tok.q.Put(t)
	}
	t.Free(&tok.Mem)
}
