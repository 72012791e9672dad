package dmabufsim

import (
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// Swap is where contents of buffers are put when there is no room for them. Both calls do I/O with pages of the
// swap cache, and wait for it.
type Swap struct {
	Out, In func(t *kernel.Task, pages []*hw.Page) kernel.Errno
}

// SwapOut copies the contents of the buffer to pages of the swap cache, gives the buffer's own away, and has the
// others written (ttm_tt_swapout; the kernel writes them later). Whoever maps the buffer next reads them back, and
// waits for them, with the reservation lock held (ttm_tt_populate, ttm_tt_swapin). If they cannot be
// written they stay in the cache, and if they cannot be read the buffer is not mapped. A buffer that is pinned, or
// out already, is left alone.
func (b *BufferObject) SwapOut(t *kernel.Task, s *Swap) kernel.Errno {
	ctx := b.lock(t)
	defer b.unlock(t, ctx)
	if b.pins > 0 || b.swap != nil {
		return kernel.EBUSY
	}
	old := b.pages
	cache, err := b.gpu.alloc(t, b.Buf.Name, len(old), System)
	if err != kernel.OK {
		return err
	}
	t.Say("", "dma_buf_move_notify()")
	b.Buf.MoveNotify(t)
	b.Buf.Resv.Wait(t, UsageBookkeep)
	hw.Fence(t.Task, old)
	b.copy(t, "swap out: copy", cache, old)
	b.settled(t, System, cache)
	b.contents, b.swap = cache, s
	b.gpu.leave(t, old)
	err = s.Out(t, cache)
	if err != kernel.OK {
		b.swap = inCache
	}
	return err
}

// inCache is where contents are that could not be written.
var inCache = &Swap{In: func(*kernel.Task, []*hw.Page) kernel.Errno { return kernel.OK }}

// swapIn brings the contents back, if they are out.
func (b *BufferObject) swapIn(t *kernel.Task) kernel.Errno {
	if b.swap == nil {
		return kernel.OK
	}
	cache := b.pages
	fresh, err := b.gpu.alloc(t, b.Buf.Name, len(cache), System)
	if err != kernel.OK {
		return err
	}
	t.Say("", "read "+b.Buf.Name+" from swap")
	if err := b.swap.In(t, cache); err != kernel.OK {
		hw.Give(t.Task, fresh, "")
		return err
	}
	b.copy(t, "swap in: copy", fresh, cache)
	b.settled(t, System, fresh)
	b.contents, b.swap = fresh, nil
	hw.Give(t.Task, cache, "")
	return kernel.OK
}
