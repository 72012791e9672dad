package toy

import (
	"dmasim/dmabufsim"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// Design makes tokens that look at the mapping under the reservation lock.
type Design struct{}

func (Design) Name() string { return "toy" }

// toyToken is one registration.
type toyToken struct {
	token.Registration
	// current is changed, and looked at, with the reservation lock held. users counts
	// the requests that have the map; it goes up with the lock held, and down at any time.
	current kernel.Field[*token.Map]
	users   kernel.Shared[int]
}

// Register makes a token.
func (Design) Register(t *kernel.Task, p token.Params, q token.Queue, drv token.Driver) (token.Token, kernel.Errno) {
	tok := &toyToken{}
	if err := t.Alloc(kernel.GFP_KERNEL, &tok.Mem, "toy token"); err != kernel.OK {
		return nil, err
	}
	tok.current.Init(t, &tok.Mem, "token.map", nil)
	tok.users.Init(t, &tok.Mem, "token.users", 0)
	return tok.Attach(t, tok, p, q, drv)
}

// Submit counts the request in, and makes the map if there is none.
func (tok *toyToken) Submit(t *kernel.Task, f *token.Frag) token.Outcome {
	resv := &tok.Reg.DmaBuf.Resv
	if f.Nowait {
		t.At("take", "dma_resv_trylock()")
		if !resv.Trylock(t) {
			return token.Outcome{Status: kernel.BLK_STS_AGAIN, FreeRequest: true}
		}
	} else {
		t.At("take", "dma_resv_lock()")
		resv.Lock(t, nil)
	}
	status := tok.take(t, f)
	t.At("take", "dma_resv_unlock()")
	resv.Unlock(t)
	return token.Outcome{Status: status, FreeRequest: status != kernel.BLK_STS_OK}
}

func (tok *toyToken) take(t *kernel.Task, f *token.Frag) kernel.BlkStatus {
	m := tok.current.Get(t)
	if m == nil {
		if f.Nowait {
			return kernel.BLK_STS_AGAIN
		}
		var err kernel.Errno
		if m, err = tok.make(t); err != kernel.OK {
			return kernel.BlkStatusOf(err)
		}
		tok.current.Set(t, m)
	}
	tok.count(t, "take", 1)
	f.Map = m
	return kernel.BLK_STS_OK
}

// make maps the buffer, and waits until it is where the mapping leads to (R8).
func (tok *toyToken) make(t *kernel.Task) (*token.Map, kernel.Errno) {
	m := &token.Map{}
	if err := m.Alloc(t); err != kernel.OK {
		return nil, err
	}
	if err := tok.Driver.DmaMap(t, &tok.Reg, m); err != kernel.OK {
		t.Free(&m.Mem)
		return nil, err
	}
	m.Gen = tok.NextGen(t)
	t.Stressf("make", "dma_map(): %v = pages %s", m, m.Sgt.Get(t))
	tok.Reg.DmaBuf.Resv.Wait(t, dmabufsim.UsageKernel)
	return m, kernel.OK
}

// Invalidate waits for the last request and unmaps. The exporter holds the reservation lock.
func (tok *toyToken) Invalidate(t *kernel.Task) {
	tok.Reg.DmaBuf.Resv.AssertHeld(t, "invalidate")
	m := tok.current.Get(t)
	if m == nil {
		return
	}
	t.Atf("invalidate", "wait for the last request of %v", m)
	tok.users.Await(t, "wait_event", func(n int) bool { return n == 0 })
	tok.current.Set(t, nil)
	t.Atf("invalidate", "dma_unmap(%v)", m)
	tok.Driver.DmaUnmap(t, &tok.Reg, m, true)
	t.Free(&m.Mem)
}

// Free counts the request out, however it is freed.
func (tok *toyToken) Free(t *kernel.Task, f *token.Frag, p token.Path) {
	if f.Map != nil {
		f.Map = nil
		tok.count(t, "free", -1)
	}
}

func (tok *toyToken) count(t *kernel.Task, step string, by int) {
	t.At(step, "users "+map[int]string{1: "+ 1", -1: "- 1"}[by])
	tok.users.Update(t, func(n int) int { return n + by })
}

// Split counts the child in: its parent has the map, so it cannot go.
func (tok *toyToken) Split(t *kernel.Task, parent, child *token.Frag) {
	if child.Map = parent.Map; child.Map != nil {
		tok.count(t, "split", 1)
	}
}
