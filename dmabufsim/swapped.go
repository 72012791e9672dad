package dmabufsim

import (
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// SwapOut has the contents of the buffer written to swap. Whoever maps it next reads them back with in, and
// waits for them, with the reservation lock held (ttm_tt_populate, ttm_tt_swapin).
func (b *BufferObject) SwapOut(t *kernel.Task, out, in func(t *kernel.Task, pages []*hw.Page)) {
	ctx := b.lock(t)
	b.Buf.MoveNotify(t)
	b.Buf.Resv.Wait(t, UsageBookkeep)
	out(t, b.pages)
	hw.Fill(b.pages, "whoever had the page before")
	b.in = in
	b.unlock(t, ctx)
}

// swapIn brings the contents back, if they are out.
func (b *BufferObject) swapIn(t *kernel.Task) {
	if b.in == nil {
		return
	}
	t.Say("", "map_dma_buf: read "+b.Buf.Name+" from swap")
	b.in(t, b.pages)
	b.in = nil
}
