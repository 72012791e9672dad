package scenarios

import (
	"maps"
	"slices"

	"dmasim/iter"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/uringsim"
)

// act is what a task of a workload does in place of a transfer, by name. One without do is a transfer
// that must fail.
type act struct {
	name string
	do   func(w *world, t *kernel.Task, x transfer)
}

var acts = []act{
	{"renew", (*world).renew},
	{"own", (*world).own},
	{"long", (*world).tooLong},
	{"half", (*world).half},
	{"stop", (*world).stop},
	{"dirty", (*world).dirty},
	{"undirect", (*world).undirect},
	{vectored, nil},
}

// vectored reads with READV_FIXED.
const vectored = "readv"

// Acts lists what there is to do in place of a transfer, for [Workload]: to register the buffer anew
// in its slot, while what is in flight goes on with the old registration; to register memory of
// the task's own, a compound page, beside the buffers, to unregister it, and to register the buffer
// anew; to register a dma-buf that is
// too long; to update two slots, of which the second entry cannot be read; to stop the process and continue
// it; to have another program write, through the page cache, the sector before those of the transfer that came before in
// a burst, or before all of the task's; to take O_DIRECT from the file (fcntl), whereupon transfers must fail; and to read with
// vectors, which must fail.
func Acts() (names []string) {
	for _, a := range acts {
		names = append(names, a.name)
	}
	return names
}

// act does what a task does in place of a transfer: false if x is one, or is one that must fail.
func (w *world) act(t *kernel.Task, x transfer) bool {
	for _, a := range acts {
		if a.name == x.act && a.do != nil {
			a.do(w, t, x)
			return true
		}
	}
	return false
}

// prepare makes what acts need, before there are tasks.
func (w *world) prepare(t *kernel.Task, wl Workload) {
	for _, s := range wl.Submitters {
		for _, x := range s.Transfers {
			switch {
			case x.Act == "own" && w.user == nil:
				pages := (&hw.Memory{}).Alloc(t.Task, "user", 2)
				folio := &hw.Folio{Pages: len(pages)}
				for _, p := range pages {
					p.Folio = folio
				}
				w.user = &uringsim.User{}
				mm := iter.NewMm(t, "user")
				mm.Mmap(t, ownAddr, pages, iter.PROT_READ|iter.PROT_WRITE)
				for _, r := range w.rings {
					r.Mm, r.User = mm, w.user
				}
			case x.Act == "long" && w.long == nil:
				w.long = w.bus.Export(t, "long", 1<<32+hw.PageSize, unmapped{})
			case x.Act == "dirty" && w.cachedFile == nil:
				w.cachedFile, w.dirtied = w.queue.Open(0), map[uint64]int{}
				w.program = (&hw.Memory{}).Alloc(t.Task, "another program", 1)
				w.cached(t, hw.FromDevice, 0)
				w.ref.elseRead(sector)
				hw.Fill(w.program, "another program")
			case x.Act == "undirect":
				w.file.WillChange(t)
			}
		}
	}
}

// finish drops what prepare made, when no buffer is registered any more.
func (w *world) finish(t *kernel.Task) {
	if w.long != nil {
		w.long.Put(t)
	}
	if w.user != nil && w.user.Locked != 0 {
		t.Fail(kernel.Leak, "%d page(s) of locked memory are accounted for, with no buffer registered", w.user.Locked)
	}
}

// ownAddr is where a task has memory of its own.
const ownAddr = 0x200000

// renew registers a buffer in its slot again. If that fails, the old registration stays.
func (w *world) renew(t *kernel.Task, x transfer) {
	w.registered(t, x, w.rings[x.ring].RegisterDmaBuf(t, x.buf, w.file, w.bufs[x.buf].buf))
}

// registered checks what a registration has returned.
func (w *world) registered(t *kernel.Task, x transfer, err kernel.Errno) {
	if err != kernel.OK && !w.mayFail(x, err) && !(w.gone() && err == kernel.EFAULT) {
		t.Fail(iter.WrongErrno, "registration of a buffer failed with %v", err)
	}
}

// own registers a compound page beside the buffers for a while. What that leaves in the ring's cache, the
// buffer gets that is registered anew.
func (w *world) own(t *kernel.Task, x transfer) {
	r, slot := w.rings[x.ring], len(w.bufs)
	entry := uringsim.RegBuffer{Iovec: &iter.Iovec{Base: ownAddr, Len: 2 * hw.PageSize}}
	_, err := r.UpdateBuffers(t, uint32(slot), 0, []uringsim.RegBuffer{entry})
	w.registered(t, x, err)
	if err == kernel.OK {
		r.UnregisterBuffer(t, slot)
	}
	w.renew(t, x)
}

// tooLong registers a dma-buf whose size does not fit into the length of a buffer: that fails, or a
// read beyond what is left of the size is tried.
func (w *world) tooLong(t *kernel.Task, x transfer) {
	r, slot := w.rings[x.ring], len(w.bufs)
	if err := r.RegisterDmaBuf(t, slot, w.file, w.long); err != kernel.OK {
		if err != kernel.EFAULT {
			w.registered(t, x, err)
		}
		return
	}
	e := w.sqe(transfer{ring: x.ring, buf: slot, at: page, n: page}, 0)
	r.Submit(t, e)
	if res := r.WaitCQE(t).Res; res == iter.Neg(kernel.EFAULT) {
		t.Fail(iter.WrongErrno, "a read at %d of a buffer of %d bytes ended with %s", e.Addr, w.long.Size, result(res))
	}
	r.UnregisterBuffer(t, slot)
}

// half registers the buffer in a slot of its own, besides, and has the next entry of the same update fail: it
// must say how many were done.
func (w *world) half(t *kernel.Task, x transfer) {
	r, slot, buf := w.rings[x.ring], len(w.bufs), w.bufs[x.buf].buf
	good := uringsim.RegBuffer{Iovec: &iter.Iovec{}, Target: w.file, DmaBuf: buf}
	n, err := r.UpdateBuffers(t, uint32(slot), uringsim.IORING_RSRC_F_EXTENDED_UPDATE, []uringsim.RegBuffer{good, {Unreadable: true}})
	has := r.DmaBufAt(slot) == buf
	switch {
	case has != (n == 1):
		t.Fail(iter.WrongErrno, "an update returned %d entries and %v, and the first is there: %v", n, err, has)
	case !has:
		w.registered(t, x, err)
	default:
		r.UnregisterBuffer(t, slot)
	}
}

// stop stops the process whose ring it is, and continues it.
func (w *world) stop(t *kernel.Task, x transfer) {
	t.Say("", "stop the process, and continue it")
	w.rings[x.ring].GroupStop(t)
}

// dirty has another program write what comes before the transfers of the task through the page cache, in which the
// page is dirty then.
func (w *world) dirty(t *kernel.Task, x transfer) {
	t.Sayf("", "another program writes sector %d through the page cache", x.lba)
	if n := w.cached(t, hw.ToDevice, uint64(x.lba)); n == sector {
		w.dirtied[uint64(x.lba)]++
	} else if n >= 0 || !w.elseFails(kernel.Errno(-n)) {
		t.Fail(iter.WrongErrno, "a write through the page cache returned %s", result(n))
	}
}

// cached transfers a sector by way of the page cache.
func (w *world) cached(t *kernel.Task, dir hw.Direction, lba uint64) int64 {
	i := iter.Kvecs(t, dir, []iter.Kvec{iter.Lowmem(w.program, 0, sector)}, sector)
	k, call := &iter.Kiocb{File: w.cachedFile, Pos: int64(lba * sector)}, w.cachedFile.Ops.ReadIter
	if dir == hw.ToDevice {
		k.Flags, call = iter.IOCB_WRITE, w.cachedFile.Ops.WriteIter
	}
	return call(t, k, &i)
}

// sync has what is dirty written. What is not on the drive then is lost with it.
func (w *world) sync(t *kernel.Task) {
	if w.cachedFile == nil {
		return
	}
	if err := w.queue.Sync(t); err != kernel.OK && !w.elseFails(err) {
		t.Fail(iter.WrongErrno, "sync_blockdev returned %v", err)
	}
	data := hw.Peek(w.program, 0, sector)
	for _, lba := range slices.Sorted(maps.Keys(w.dirtied)) {
		w.ref.unsure += uint64(w.dirtied[lba]) * sector // each time, or once for several
		switch is := w.ctrl.Blocks(lba, 1); {
		case is.Equal(data):
			w.ref.blocks[lba] = data
		case !w.gone():
			t.Fail(hw.DataCorruption, "what another program wrote to sector %d is not on the drive, but %v", lba, is)
		}
	}
}

// undirect takes O_DIRECT from the file.
func (w *world) undirect(t *kernel.Task, _ transfer) {
	w.losesDirect = true
	w.file.SetFlags(t, w.file.Flags&^iter.O_DIRECT)
}

// unbind takes the driver from the device. What is in flight, or comes later, may fail then.
func (w *world) unbind(t *kernel.Task) {
	w.leaving = true
	w.driver.Unbind(t)
}

// moves tells whether an exporter disturbs those who have imported its buffers.
func moves(exporter string) bool {
	return !slices.Contains([]string{"odd", "udmabuf", "far"}, exporter)
}
