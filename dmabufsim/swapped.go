package dmabufsim

import (
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// Swap is where contents of buffers are put when there is no room for them. Both calls do I/O, and wait for it.
type Swap struct {
	Out, In func(t *kernel.Task, pages []*hw.Page) kernel.Errno
}

// SwapOut has the contents of the buffer written to swap. Whoever maps it next reads them back, and
// waits for them, with the reservation lock held (ttm_tt_populate, ttm_tt_swapin). If they cannot be
// written they stay, and if they cannot be read the buffer is not mapped. Contents that are out stay there.
func (b *BufferObject) SwapOut(t *kernel.Task, s *Swap) kernel.Errno {
	ctx := b.lock(t)
	defer b.unlock(t, ctx)
	if b.swap != nil {
		return kernel.OK
	}
	t.Say("", "dma_buf_move_notify()")
	b.Buf.MoveNotify(t)
	b.Buf.Resv.Wait(t, UsageBookkeep)
	if err := s.Out(t, b.pages); err != kernel.OK {
		return err
	}
	out := (&hw.Memory{}).Alloc(t.Task, "swap", len(b.pages))
	hw.Poke(out, 0, hw.Peek(b.pages, 0, len(b.pages)*hw.PageSize))
	b.contents, b.swap = out, s
	hw.Fill(b.pages, "whoever had the page before")
	return kernel.OK
}

// swapIn brings the contents back, if they are out.
func (b *BufferObject) swapIn(t *kernel.Task) kernel.Errno {
	if b.swap == nil {
		return kernel.OK
	}
	t.Say("", "map_dma_buf: read "+b.Buf.Name+" from swap")
	err := b.swap.In(t, b.pages)
	if err == kernel.OK {
		b.contents, b.swap = b.pages, nil
	}
	return err
}
