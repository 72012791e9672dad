package dmatoken

import (
	"dmasim/sim/kernel"
	"dmasim/token"
)

// Design makes tokens as RFC v2 does, with the repairs that are on in the machine.
type Design struct{}

func (Design) Name() string { return "rfc-v2" }

// Register makes a token (TOK-2 to TOK-7). TOK-1, that the driver has the callbacks, is asked by
// the block device.
func (Design) Register(t *kernel.Task, p token.Params, q token.Queue, drv token.Driver) (token.Token, kernel.Errno) {
	tok := &dmaToken{fixes: token.Repairs(t), q: q, driver: drv}
	tok.wq, tok.unmapWq = workqueues(t)
	t.Mark("TOK-2")
	if err := t.Alloc(kernel.GFP_KERNEL, &tok.Mem, "blk_mq_dma_token"); err != kernel.OK {
		t.Mark("TOK-2 no memory")
		return nil, err
	}
	t.Mark("TOK-3")
	p.DmaBuf.Get(t)
	t.Mark("TOK-4")
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
	t.Mark("TOK-5")
	if !q.Get(t) {
		t.Mark("TOK-5 dying")
		t.Stress("TOK-5", "the queue is dying: return EFAULT")
		undo()
		return nil, kernel.EFAULT
	}
	t.Mark("TOK-6")
	if err := drv.InitDmaToken(t, &tok.reg); err != kernel.OK {
		undo()
		q.Put(t)
		return nil, err
	}
	t.Mark("TOK-7")
	return tok, kernel.OK
}
