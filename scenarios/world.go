package scenarios

import (
	"dmasim/blkmq"
	"dmasim/dmabufsim"
	"dmasim/iter"
	"dmasim/nvmesim"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/uringsim"
)

// world is one machine with everything on the path: a drive, an exporter with one
// buffer, and a ring in which the buffer is registered for the drive, in slot 0.
type world struct {
	bus   *dmabufsim.Bus
	exp   *dmabufsim.Moving
	queue *blkmq.Queue
	ctrl  *nvmesim.Controller
	file  *iter.File
	ring  *uringsim.Ring
	ref   *reference
}

// config says how a world differs from the usual one.
type config struct {
	pages int // of the buffer; 0 means 2
	tags  int // of the drive; 0 means 8
	// auditTags and auditQueue ask for nothing to be left of these at the end.
	auditTags, auditQueue bool
}

const driveSize = 1 << 30

// boot sets a world up on the machine of t, registration included.
func boot(st *sim.Task, c Case, cfg config) (*kernel.Task, *world) {
	if cfg.pages == 0 {
		cfg.pages = 2
	}
	if cfg.tags == 0 {
		cfg.tags = 8
	}
	t := kernel.Boot(st)
	w := &world{bus: dmabufsim.NewBus(t)}
	w.exp = dmabufsim.NewMoving(t, w.bus, "vram", cfg.pages)
	w.queue, w.ctrl = nvmesim.NewDisk(t, "nvme0", driveSize, cfg.tags, c.Design.instance(c.Fixes))
	w.file = w.queue.Open(iter.O_DIRECT)
	w.ring = uringsim.NewRing(t, 1)
	w.ref = newReference(w)
	w.audit(t, cfg)
	if err := w.ring.RegisterDmaBuf(t, 0, w.file, w.exp.Buf); err != kernel.OK {
		t.Fail(iter.WrongErrno, "registration of the dma-buf failed with %v", err)
	}
	return t, w
}

// teardown unregisters the buffer and drops the exporter's reference.
func (w *world) teardown(t *kernel.Task) {
	w.ring.UnregisterBuffer(t, 0)
	w.exp.Buf.Put(t)
}

// read reads pages of the drive, from its page lba on, to the page at of the buffer,
// waits for it, and checks result and data.
func (w *world) read(t *kernel.Task, at, pages, lba int) {
	w.do(t, false, at, pages, lba)
}

// write is the same in the other direction.
func (w *world) write(t *kernel.Task, at, pages, lba int) {
	w.do(t, true, at, pages, lba)
}

func (w *world) do(t *kernel.Task, write bool, at, pages, lba int) {
	n := uint64(pages) * hw.PageSize
	res := w.submit(t, write, at, pages, lba)
	if res != int64(n) {
		t.Fail(iter.WrongErrno, "%d page(s) at page %d of the drive: the completion says %s, not %d", pages, lba, result(res), n)
	}
	w.ref.transferred(t, write, at, pages, lba)
}

// submit issues the transfer and waits for its completion entry; it returns its result.
func (w *world) submit(t *kernel.Task, write bool, at, pages, lba int) int64 {
	w.ring.Submit(t, uringsim.SQE{
		Write: write, File: w.file,
		Addr: uint64(at) * hw.PageSize, Len: uint64(pages) * hw.PageSize,
		Off: int64(lba) * hw.PageSize,
	})
	return w.ring.WaitCQE(t).Res
}

// result words what a completion entry says.
func result(res int64) string {
	if res < 0 {
		return kernel.Errno(-res).String()
	}
	return kernel.Errno(0).String()
}
