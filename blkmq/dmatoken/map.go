package dmatoken

import (
	"dmasim/dmabufsim"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// assign is ASSIGN: gives the request a map.
func (tok *dmaToken) assign(t *kernel.Task, f *token.Frag) kernel.BlkStatus {
	t.Mark("ASG-1")
	if m := tok.getMap(t); m != nil {
		f.Map, f.Priv = &m.Map, m
		return kernel.BLK_STS_OK
	}
	if f.Nowait { // ASG-2
		t.Say("ASG-2", "no map, may not wait: BLK_STS_AGAIN")
		return kernel.BLK_STS_AGAIN
	}
	t.Mark("ASG-3")
	m, err := tok.create(t)
	if err != kernel.OK {
		t.Mark("ASG-3 fails")
		if tok.fixes.Has(token.FixKeepErrno) {
			return kernel.BlkStatusOf(err)
		}
		return kernel.BLK_STS_RESOURCE
	}
	t.Mark("ASG-4")
	if m != nil { // a NULL is assigned too
		f.Map, f.Priv = &m.Map, m
	}
	return kernel.BLK_STS_OK
}

// getMap is GETMAP: the published map with a reference, or nil. It never sleeps.
func (tok *dmaToken) getMap(t *kernel.Task) *dmaMap {
	t.RCUReadLock() // GET-1
	defer t.RCUReadUnlock()
	t.At("GET-1", "load token->map")
	m := tok.dmaMap.Dereference(t)
	if m == nil {
		t.Mark("GET-2 NULL")
		return nil
	}
	t.Atf("GET-2", "tryget_live %v", m)
	if !m.refs.TrygetLive(t) {
		t.Mark("GET-2 dead")
		return nil
	}
	t.Mark("GET-3")
	return m
}

// create is CREATE: makes and publishes a map. An error stands for an error pointer;
// nil without an error is NULL.
func (tok *dmaToken) create(t *kernel.Task) (*dmaMap, kernel.Errno) {
	resv := &tok.reg.DmaBuf.Resv
	t.At("CREATE-1", "mutex_lock(mapping_lock)")
	tok.mappingLock.Lock(t)
	defer tok.mappingLock.Unlock(t)
	if m := tok.getMap(t); m != nil {
		t.Mark("CREATE-2 made by another")
		return m, kernel.OK
	}
	t.Mark("CREATE-3")
	m, err := tok.alloc(t)
	if err != kernel.OK {
		t.Mark("CREATE-3 fails")
		if tok.fixes.Has(token.FixAllocError) {
			return nil, err
		}
		return nil, kernel.OK
	}
	t.At("CREATE-4", "dma_resv_lock()")
	resv.Lock(t, nil)
	t.At("CREATE-5", "dma_resv_wait_timeout(BOOKKEEP)")
	res := kernel.ETIME
	left := resv.WaitTimeout(t, dmabufsim.UsageBookkeep, true, kernel.MaxScheduleTimeout)
	if left < 0 && tok.fixes.Has(token.FixWaitThroughStops) && t.StopPending() {
		resv.Wait(t, dmabufsim.UsageBookkeep)
		left = kernel.MaxScheduleTimeout
	}
	if left < 0 {
		res = kernel.Errno(-left)
		t.Stressf("CREATE-5", "a signal: %v", res)
		t.Mark("CREATE-5 interrupted")
	} else if left > 0 {
		res = tok.driver.DmaMap(t, &tok.reg, &m.Map) // CREATE-6
	}
	if res == kernel.OK {
		t.Stressf("CREATE-6", "dma_map(): %v = pages %s", m, m.Sgt.Get(t))
		if tok.fixes.Has(token.FixWaitAfterMap) {
			resv.Wait(t, dmabufsim.UsageKernel)
		}
	}
	early := res == kernel.OK && tok.fixes.Has(token.FixPublishUnderResv)
	if early {
		tok.publish(t, m)
	}
	t.At("CREATE-7", "dma_resv_unlock()")
	resv.Unlock(t)
	if res != kernel.OK {
		t.Mark("CREATE-8")
		if tok.fixes.Has(token.FixUndoMap) {
			m.refs.Kill(t) // nobody else has seen it: MAP-REL frees it
		} else {
			t.Stressf("CREATE-8", "return %v; %v is left behind", res, m)
		}
		return nil, res
	}
	if !early {
		tok.publish(t, m)
	}
	return m, kernel.OK
}

// publish is CREATE-9 and CREATE-10.
func (tok *dmaToken) publish(t *kernel.Task, m *dmaMap) {
	t.Atf("CREATE-9", "get %v", m)
	m.refs.Get(t)
	t.Atf("CREATE-10", "token->map = %v", m)
	tok.dmaMap.Assign(t, m)
}

// alloc is ALLOC.
func (tok *dmaToken) alloc(t *kernel.Task) (*dmaMap, kernel.Errno) {
	t.Mark("ALLOC")
	m := &dmaMap{token: tok}
	if err := m.Alloc(t); err != kernel.OK {
		t.Mark("ALLOC no map")
		return nil, err
	}
	m.fence = &dmaFence{}
	if err := t.Alloc(kernel.GFP_KERNEL, &m.fence.Mem, "blk_mq_dma_fence"); err != kernel.OK {
		t.Mark("ALLOC no fence")
		t.Free(&m.Mem)
		return nil, err
	}
	seqno := tok.fenceSeq.Get(t) + 1
	m.Gen = int(seqno)
	if err := m.refs.Init(t, &m.Mem, m.String()+".refs", kernel.GFP_KERNEL, m.released); err != kernel.OK {
		t.Mark("ALLOC no refs")
		t.Free(&m.fence.Mem)
		t.Free(&m.Mem)
		return nil, err
	}
	tok.fenceSeq.Set(t, seqno)
	m.fence.Init(t, &m.fence.Mem, "blk-mq", tok.fenceCtx, seqno)
	tok.refs.Inc(t)
	return m, kernel.OK
}
