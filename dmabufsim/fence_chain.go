package dmabufsim

import "dmasim/sim/kernel"

// FenceChain is struct dma_fence_chain: a fence that signals when its own fence has, and
// all before it in the chain. What has signalled is not collected before the chain goes.
type FenceChain struct {
	kernel.Mem
	Fence
	Prev      *Fence // a chain, or the end of it; may be nil
	Contained *Fence

	cb FenceCB
}

var chainOps = &FenceOps{
	DriverName:      func(*Fence) string { return "dma_fence_chain" },
	TimelineName:    func(*Fence) string { return "unbound" },
	EnableSignaling: func(t *kernel.Task, f *Fence) bool { return f.chain.enable(t) },
	Signaled: func(t *kernel.Task, f *Fence) bool {
		return f.chain.each(func(g *Fence) bool { return g.IsSignaled(t) })
	},
	Release: func(t *kernel.Task, f *Fence) {
		f.chain.Prev.Put(t)
		f.chain.Contained.Put(t)
		f.Free(t)
	},
	SetDeadline: func(t *kernel.Task, f *Fence, deadline Ktime) {
		f.chain.each(func(g *Fence) bool { g.SetDeadline(t, deadline); return true })
	},
}

// NewFenceChain is dma_fence_chain_init of a new node, which takes the caller's references
// over. Nil if there is no memory.
func NewFenceChain(t *kernel.Task, prev, fence *Fence, seqno uint64) *FenceChain {
	c := &FenceChain{Prev: prev, Contained: fence}
	if t.Alloc(kernel.GFP_KERNEL, &c.Mem, "dma_fence_chain") != kernel.OK {
		return nil
	}
	context := uint64(0)
	switch {
	case prev != nil && prev.chain != nil && seqno > prev.Seqno:
		context = prev.Context
	default:
		context = FenceContextAlloc(t, 1)
		if prev != nil && prev.chain != nil {
			seqno = max(prev.Seqno, seqno)
		}
	}
	c.Init64(t, &c.Mem, chainOps, nil, context, seqno)
	c.chain = c
	return c
}

// each calls fn for the fences of the chain, the newest first, until it says no; it tells
// whether it never did.
func (c *FenceChain) each(fn func(f *Fence) bool) bool {
	for {
		if !fn(c.Contained) {
			return false
		}
		if c.Prev == nil {
			return true
		}
		if c.Prev.chain == nil {
			return fn(c.Prev)
		}
		c = c.Prev.chain
	}
}

// enable adds a callback to the first fence that has not signalled; false if all have.
func (c *FenceChain) enable(t *kernel.Task) bool {
	c.Get(t)
	if c.each(func(f *Fence) bool { return f.AddCallback(t, &c.cb, c.next) != kernel.OK }) {
		c.Put(t)
		return false
	}
	return true
}

// next goes on to the next fence, from elsewhere, since the lock of another one is held here.
func (c *FenceChain) next(t *kernel.Task, _ *Fence, _ *FenceCB) {
	t.Interrupt("dma_fence_chain irq_work", func(t *kernel.Task) {
		if !c.enable(t) {
			c.Signal(t)
		}
		c.Put(t)
	})
}
