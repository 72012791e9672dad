package dmatoken

import (
	"dmasim/dmabufsim"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// remove is REMOVE: takes the published map away from new requests. The exporter, or
// RELEASE, holds the reservation lock.
func (tok *dmaToken) remove(t *kernel.Task) {
	resv := &tok.reg.DmaBuf.Resv
	t.Mark("REM-1")
	resv.AssertHeld(t, "REM-1")
	t.Mark("REM-2")
	reserve := resv.ReserveFences
	if tok.fixes.Has(token.FixSpareSlot) {
		reserve = resv.ReserveMore
	}
	reserved := reserve(t, 1) == kernel.OK
	if !reserved && !tok.fixes.Has(token.FixDrainOnReserveFailure) { // REM-2
		t.Mark("REM-2 no memory")
		t.Warn("REM-2: no fence slot for the map, returning")
		return
	}
	t.At("REM-3", "load token->map")
	m := tok.dmaMap.DereferenceProtected(t, resv.Held(t))
	if m == nil { // REM-3
		t.Stress("REM-3", "token->map == NULL, return")
		t.Mark("REM-3 NULL")
		return
	}
	fence := &m.fence.Fence
	t.At("REM-4", "token->map = NULL")
	tok.dmaMap.Assign(t, nil)
	if reserved {
		t.Atf("REM-5", "add fence of %v", m)
		resv.AddFence(t, fence, dmabufsim.UsageKernel)
	} else {
		fence.Get(t)
	}
	t.Atf("REM-6", "kill %v", m)
	m.refs.Kill(t)
	if !reserved {
		t.At("REM-2", "no fence slot: wait for the map in place")
		fence.Wait(t)
		fence.Put(t)
	}
}

// released is MAP-REL: the last reference has gone. It runs in the callback of the
// kill's mode switch, or in the context of the last put.
func (m *dmaMap) released(t *kernel.Task) {
	if t.Context() == kernel.InRCUCallback {
		t.Mark("MAP-REL from RCU")
	}
	m.freeWork.Init(t, &m.Mem, m.String()+".free_work", m.free)
	t.Atf("MAP-REL", "%v unused: queue free_work", m)
	m.token.wq.Queue(t, &m.freeWork)
}

// workqueues are where maps are freed: where the fence is signalled and, if that is apart, where
// the buffer is unmapped.
func workqueues(t *kernel.Task) (free, unmap *kernel.Workqueue) {
	free = t.K.SystemWq
	if token.Repaired(t, token.FixReclaimQueue) {
		free = ownQueue(t, "blk_dma")
	}
	if token.Repaired(t, token.FixUnmapApart) {
		unmap = ownQueue(t, "blk_dma_unmap")
	}
	return free, unmap
}

// ownQueue is the workqueue of a name that no other user has.
func ownQueue(t *kernel.Task, name workqueueName) *kernel.Workqueue {
	return t.Subsystem(name, func() any {
		return kernel.AllocWorkqueue(t, string(name), kernel.WQ_MEM_RECLAIM|kernel.WQ_PERCPU, 0)
	}).(*kernel.Workqueue)
}

type workqueueName string

// free is WRK.
func (m *dmaMap) free(t *kernel.Task) {
	t.Atf("WRK-1", "signal fence of %v", m)
	m.fence.Signal(t)
	wq := m.token.unmapWq
	if wq == nil {
		m.unmap(t)
		return
	}
	m.unmapWork.Init(t, &m.Mem, m.String()+".unmap_work", m.unmap)
	wq.Queue(t, &m.unmapWork)
}

// unmap is WRK-2 and WRK-3.
func (m *dmaMap) unmap(t *kernel.Task) {
	tok := m.token
	if m.Sgt.Get(t) == nil {
		t.Mark("WRK-2 nothing mapped")
	} else {
		t.Atf("WRK-2", "dma_unmap(%v)", m)
		tok.driver.DmaUnmap(t, &tok.reg, &m.Map, false)
	}
	t.Mark("WRK-3")
	m.fence.Put(t)
	m.refs.Exit(t)
	t.Free(&m.Mem)
	tok.put(t)
}
