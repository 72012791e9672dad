package scenarios

import (
	"dmasim/dmabufsim"
	"dmasim/iter"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// swapIO transfers pages from or to where they are in swap on the drive, and waits for that. It may fail as
// any transfer may.
func (w *world) swapIO(t *kernel.Task, f *iter.File, dir hw.Direction, pages []*hw.Page, pos int64) kernel.Errno {
	n := uint64(len(pages)) * hw.PageSize
	i := iter.Kvecs(t, dir, []iter.Kvec{iter.Lowmem(pages, 0, n)}, n)
	k, call := &iter.Kiocb{File: f, Pos: pos}, f.Ops.ReadIter
	if dir == hw.ToDevice {
		k.Flags, call = iter.IOCB_WRITE, f.Ops.WriteIter
	}
	data := hw.Peek(pages, 0, len(pages)*hw.PageSize)
	got := call(t, k, &i)
	switch err := kernel.Errno(-got); {
	case got < 0 && w.elseFails(err):
		w.ref.elseFailed(dir, data, uint64(pos)/sector)
		return err
	case got != int64(n):
		t.Fail(iter.WrongErrno, "a transfer of swap returned %s", result(got))
	case dir == hw.ToDevice:
		w.ref.elseWrote(t, data, uint64(pos)/sector)
	default:
		w.ref.elseRead(n)
	}
	return kernel.OK
}

// elseFails tells whether I/O of others than the rings may end with an error.
func (w *world) elseFails(err kernel.Errno) bool {
	switch err {
	case kernel.ENOMEM:
		return w.failing
	case kernel.ENODEV, kernel.EIO, kernel.EREMOTEIO:
		return w.gone()
	}
	return false
}

// swapAt is a place for a buffer in swap.
func (w *world) swapAt(f *iter.File, pos int64) *dmabufsim.Swap {
	return &dmabufsim.Swap{
		Out: func(t *kernel.Task, pages []*hw.Page) kernel.Errno { return w.swapIO(t, f, hw.ToDevice, pages, pos) },
		In:  func(t *kernel.Task, pages []*hw.Page) kernel.Errno { return w.swapIO(t, f, hw.FromDevice, pages, pos) },
	}
}

// swapOther is the n-th time that an exporter tells its importers to let go of the buffer and then has a
// page of somebody else's written to swap, all with the reservation lock held.
func (w *world) swapOther(t *kernel.Task, b *dmabufsim.DmaBuf, n int) {
	t.At("", "dma_resv_lock()")
	b.Resv.Lock(t, nil)
	t.Say("", "dma_buf_move_notify()")
	b.MoveNotify(t)
	t.Say("", "write a page to swap on "+w.queue.Name)
	w.swapIO(t, w.swapFile, hw.ToDevice, w.swapped, driveSize/2+int64(n)*hw.PageSize)
	t.At("", "dma_resv_unlock()")
	b.Resv.Unlock(t)
}
