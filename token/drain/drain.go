package drain

import (
	"dmasim/dmabufsim"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// Design makes tokens that drain synchronously.
type Design struct{}

func (Design) Name() string { return "drain" }

// drainToken is one registration.
type drainToken struct {
	token.Registration
	// current is the published map, changed with the reservation lock held.
	current kernel.RCU[generation]
}

// generation is one mapping.
type generation struct {
	token.Map
	refs kernel.PercpuRef
	// idle completes when the last request has dropped its reference.
	idle kernel.Completion
}

// Register makes a token.
func (Design) Register(t *kernel.Task, p token.Params, q token.Queue, drv token.Driver) (token.Token, kernel.Errno) {
	tok := &drainToken{}
	if err := t.Alloc(kernel.GFP_KERNEL, &tok.Mem, "drain token"); err != kernel.OK {
		return nil, err
	}
	tok.current.Init(t, &tok.Mem, "token.map")
	return tok.Attach(t, tok, p, q, drv)
}

// Submit takes a reference of the current map, or makes one if the request may wait.
func (tok *drainToken) Submit(t *kernel.Task, f *token.Frag) token.Outcome {
	if g := tok.get(t); g != nil {
		f.Map, f.Priv = &g.Map, g
		return token.Outcome{}
	}
	if f.Nowait {
		return token.Outcome{Status: kernel.BLK_STS_AGAIN, FreeRequest: true}
	}
	g, err := tok.make(t)
	if err != kernel.OK {
		return token.Outcome{Status: kernel.BlkStatusOf(err), FreeRequest: true}
	}
	f.Map, f.Priv = &g.Map, g
	return token.Outcome{}
}

// get returns the current map with a reference, or nil.
func (tok *drainToken) get(t *kernel.Task) *generation {
	t.RCUReadLock()
	defer t.RCUReadUnlock()
	t.At("get", "load token->map")
	g := tok.current.Dereference(t)
	if g == nil {
		return nil
	}
	t.Atf("get", "tryget_live %v", g)
	if !g.refs.TrygetLive(t) {
		return nil
	}
	return g
}

// make maps the buffer and publishes the map, all under the reservation lock.
func (tok *drainToken) make(t *kernel.Task) (*generation, kernel.Errno) {
	resv := &tok.Reg.DmaBuf.Resv
	t.At("make", "dma_resv_lock()")
	resv.Lock(t, nil)
	defer func() {
		t.At("make", "dma_resv_unlock()")
		resv.Unlock(t)
	}()
	if g := tok.current.DereferenceProtected(t, resv.Held(t)); g != nil {
		// Somebody else was faster. With the lock held nobody can kill it.
		g.refs.Get(t)
		return g, kernel.OK
	}
	g := &generation{}
	if err := g.Alloc(t); err != kernel.OK {
		return nil, err
	}
	g.Gen = tok.NextGen(t)
	g.idle.Init(t, &g.Mem, g.String()+".idle")
	g.idle.OneWaiter = true
	if err := g.refs.Init(t, &g.Mem, g.String()+".refs", kernel.GFP_KERNEL, g.idle.Complete); err != kernel.OK {
		t.Free(&g.Mem)
		return nil, err
	}
	if err := tok.Driver.DmaMap(t, &tok.Reg, &g.Map); err != kernel.OK {
		g.refs.Kill(t)
		g.idle.Wait(t)
		g.refs.Exit(t)
		t.Free(&g.Mem)
		return nil, err
	}
	t.Stressf("make", "dma_map(): %v = pages %s", g, g.Sgt.Get(t))
	// R8: an importer waits for the KERNEL fences before it uses a new mapping. The map
	// itself may have moved the buffer, so it waits afterwards.
	resv.Wait(t, dmabufsim.UsageKernel)
	g.refs.Get(t)
	t.Atf("make", "token->map = %v", g)
	tok.current.Assign(t, g)
	return g, kernel.OK
}

// Invalidate unpublishes the map, waits for its last request and unmaps. The exporter
// holds the reservation lock.
func (tok *drainToken) Invalidate(t *kernel.Task) {
	resv := &tok.Reg.DmaBuf.Resv
	resv.AssertHeld(t, "invalidate")
	t.At("invalidate", "load token->map")
	g := tok.current.DereferenceProtected(t, resv.Held(t))
	if g == nil {
		return
	}
	t.At("invalidate", "token->map = NULL")
	tok.current.Assign(t, nil)
	t.Atf("invalidate", "kill %v", g)
	g.refs.Kill(t)
	t.Atf("invalidate", "wait for the last request of %v", g)
	g.idle.Wait(t)
	t.Atf("invalidate", "dma_unmap(%v)", g)
	tok.Driver.DmaUnmap(t, &tok.Reg, &g.Map, true)
	g.refs.Exit(t)
	t.Free(&g.Mem)
}

// Free drops the request's reference, however it is freed.
func (tok *drainToken) Free(t *kernel.Task, f *token.Frag, p token.Path) { tok.drop(t, f) }

func (tok *drainToken) drop(t *kernel.Task, f *token.Frag) {
	if f.Map == nil {
		return
	}
	g := f.Priv.(*generation)
	f.Map, f.Priv = nil, nil
	t.Atf("free", "put %v", g)
	g.refs.Put(t)
}

// Split counts the child in: the parent's reference keeps the map alive meanwhile.
func (tok *drainToken) Split(t *kernel.Task, parent, child *token.Frag) {
	if parent.Map != nil {
		g := parent.Priv.(*generation)
		g.refs.Get(t)
		child.Map, child.Priv = parent.Map, parent.Priv
	}
}
