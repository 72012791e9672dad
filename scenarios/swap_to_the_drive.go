package scenarios

import (
	"dmasim/dmabufsim"
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var swapToTheDrive = &Scenario{
	Name: "swap-to-the-drive",
	Story: "An exporter evicts a buffer, and with the reservation lock held it has memory written to swap, on " +
		"the very drive that the buffer is registered for, which has one tag. A read that has to make a " +
		"mapping has taken that tag, and waits for the reservation lock. Neither can go on. Allocating memory " +
		"with a reservation lock held is legal, and reclaim may write to swap.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {
			{Kind: sim.Deadlock, Fix: token.FixMapBeforeTag},
			{Kind: sim.Deadlock, Fix: token.FixFreeRequest}, // the tag is lost before anybody waits for it
			{Kind: dmabufsim.FenceRule, Fix: token.FixPublishUnderResv},
		},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{tags: 1, auditTags: true})
			page0 := (&hw.Memory{}).Alloc(t.Task, "swapped out", 1)
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{n: page}) })
			t.Go("exporter", func(t *kernel.Task) { w.swapLocked(t, page0) })
			t.Explore()
			w.ref.wroteElse(driveSize/2/sector, page)
			w.teardown(t)
		}
	},
}

// swapLocked tells the importers of a move, and has a page written to swap with the reservation lock held.
func (w *world) swapLocked(t *kernel.Task, page0 []*hw.Page) {
	b := w.exp.Buf
	t.At("", "dma_resv_lock()")
	b.Resv.Lock(t, nil)
	t.Say("", "dma_buf_move_notify()")
	b.MoveNotify(t)
	t.Say("", "write a page to swap on "+w.queue.Name)
	i := iter.Kvecs(t, hw.ToDevice, []iter.Kvec{iter.Lowmem(page0, 0, hw.PageSize)}, hw.PageSize)
	swap := &iter.Kiocb{File: w.file, Pos: driveSize / 2, Flags: iter.IOCB_WRITE}
	if n := w.file.Ops.WriteIter(t, swap, &i); n != hw.PageSize {
		t.Fail(iter.WrongErrno, "a write to swap returned %s", result(n))
	}
	t.At("", "dma_resv_unlock()")
	b.Resv.Unlock(t)
}
