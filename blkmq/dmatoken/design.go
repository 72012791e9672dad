package dmatoken

import (
	"dmasim/sim/kernel"
	"dmasim/token"
)

// Design makes tokens as RFC v2 does, with the repairs that are on in the machine.
type Design struct{}

func (Design) Name() string { return "rfc-v2" }

// Register makes a token (TOK-2 to TOK-7). TOK-1, that the driver has the callbacks,
// is the type system's.
func (Design) Register(t *kernel.Task, p token.Params, q token.Queue, drv token.Driver) (token.Token, kernel.Errno) {
	tok := &dmaToken{fixes: token.Repairs(t), wq: workqueue(t), q: q, driver: drv}
	if err := t.Alloc(kernel.GFP_KERNEL, &tok.Mem, "blk_mq_dma_token"); err != kernel.OK { // TOK-2
		return nil, err
	}
	p.DmaBuf.Get(t) // TOK-3
	// TOK-4
	tok.reg = token.Reg{Params: p, Token: tok}
	tok.fenceCtx = p.DmaBuf.FenceContextAlloc()
	tok.refs.Init(t, &tok.Mem, "token.refs", 1)
	tok.mappingLock.Init(t, &tok.Mem, "token.mapping_lock")
	tok.dmaMap.Init(t, &tok.Mem, "token.map")
	tok.fenceSeq.Init(t, &tok.Mem, "token.fence_seq", 0)
	undo := func() {
		if tok.fixes.Has(token.FixUndoRegister) {
			p.DmaBuf.Put(t)
		}
		t.Free(&tok.Mem)
	}
	if !q.Get(t) { // TOK-5
		undo()
		return nil, kernel.EFAULT
	}
	if err := drv.InitDmaToken(t, &tok.reg); err != kernel.OK { // TOK-6
		undo()
		q.Put(t)
		return nil, err
	}
	return tok, kernel.OK // TOK-7
}
