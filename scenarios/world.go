package scenarios

import (
	"strconv"

	"dmasim/blkmq"
	"dmasim/dmabufsim"
	"dmasim/iter"
	"dmasim/nvmesim"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
	"dmasim/uringsim"
)

// world is one machine with everything on the path: a drive, an exporter with one
// buffer, and rings in each of which the buffer is registered for the drive, in slot 0.
type world struct {
	bus   *dmabufsim.Bus
	exp   *dmabufsim.Moving
	gpu   *dmabufsim.GPU // whose buffer it is, if the scenario has one
	queue *blkmq.Queue
	ctrl  *nvmesim.Controller
	file  *iter.File
	rings []*uringsim.Ring
	ref   *reference
}

// config says how a world differs from the usual one.
type config struct {
	pages int  // of the buffer; 0 means 2
	rings int  // 0 means 1
	tags  int  // of the drive; 0 means 8
	batch bool // completions come in batches
	// gpu is the name of the kind of driver that exports the buffer, see dmabufsim.Presets; then
	// the buffer is in the device's memory, which has vram pages, and the drive reaches that, if
	// it does, as peer says. Empty means an exporter that moves in the system's memory.
	gpu  string
	vram int
	peer hw.Peer
	// drive says how the drive differs from the usual one, and limits how those of its queue do.
	drive  nvmesim.Config
	limits func(*blkmq.Limits)
	// auditTags and auditQueue ask for nothing to be left of these at the end.
	auditTags, auditQueue bool
}

const driveSize = 1 << 30

// boot sets a world up on the machine of t, registration included.
func boot(st *sim.Task, c Case, cfg config) (*kernel.Task, *world) {
	if cfg.pages == 0 {
		cfg.pages = 2
	}
	if cfg.rings == 0 {
		cfg.rings = 1
	}
	if cfg.tags == 0 {
		cfg.tags = 8
	}
	t := kernel.Boot(st)
	token.Repair(t, c.Fixes|c.Design.Fixes)
	w := &world{bus: dmabufsim.NewBus(t)}
	if cfg.gpu == "" {
		w.exp = dmabufsim.NewMoving(t, w.bus, "vram", cfg.pages)
	} else {
		w.gpu = dmabufsim.NewGPU(t, w.bus, "gpu", cfg.vram, dmabufsim.PolicyOf(cfg.gpu))
		w.exp = dmabufsim.AsMoving(w.gpu.Export(t, "vram", cfg.pages, dmabufsim.VRAM))
	}
	cfg.drive.Name, cfg.drive.Size, cfg.drive.Depth, cfg.drive.Design = "nvme0", driveSize, cfg.tags, c.Design.maker
	if cfg.drive.IOMMU.Bounce {
		cfg.drive.IOMMU.Memory = w.bus.Memory
	}
	d := nvmesim.NewDrive(t, cfg.drive)
	w.queue, w.ctrl = d.Queue(), d.Controller()
	if cfg.limits != nil {
		cfg.limits(&w.queue.Limits)
	}
	if w.gpu != nil {
		w.ctrl.IOMMU.SetPeer(w.gpu.VRAM(), cfg.peer)
	}
	w.queue.Batch = cfg.batch
	w.file = w.queue.Open(iter.O_DIRECT)
	w.ref = newReference(w)
	w.audit(t, cfg)
	for range cfg.rings {
		r := uringsim.NewRing(t, 1)
		if err := r.RegisterDmaBuf(t, 0, w.file, w.exp.Buf); err != kernel.OK {
			t.Fail(iter.WrongErrno, "registration of the dma-buf failed with %v", err)
		}
		w.rings = append(w.rings, r)
	}
	return t, w
}

// teardown compares all data, unregisters the buffer, and drops the exporter's
// reference.
func (w *world) teardown(t *kernel.Task) {
	w.ref.checkAll(t)
	for _, r := range w.rings {
		r.UnregisterBuffer(t, 0)
	}
	w.exp.Buf.Put(t)
}

// page is the number of sectors of a page, sector that of bytes of a sector.
const page, sector = hw.SectorsPerPage, hw.SectorSize

// transfer is one read from the drive into the buffer, or write from the buffer to the
// drive: n sectors, from sector at of the buffer, and from sector lba of the drive.
type transfer struct {
	ring       int
	write      bool
	at, n, lba int
}

// do submits the transfer, waits for it, and checks its result and its data.
func (w *world) do(t *kernel.Task, x transfer) {
	w.submit(t, x)
	w.expect(t, x, w.rings[x.ring].WaitCQE(t))
}

// doAll submits the transfers, all on one ring, and only then waits for them.
func (w *world) doAll(t *kernel.Task, xs ...transfer) {
	for i, x := range xs {
		w.submitAs(t, x, uint64(i))
	}
	for range xs {
		c := w.rings[xs[0].ring].WaitCQE(t)
		w.expect(t, xs[c.UserData], c)
	}
}

// expect checks the completion entry of a transfer, and its data.
func (w *world) expect(t *kernel.Task, x transfer, c uringsim.CQE) {
	if want := int64(x.n) * hw.SectorSize; c.Res != want {
		t.Fail(iter.WrongErrno, "a transfer of %d bytes at sector %d of the drive ended with %s", want, x.lba, result(c.Res))
	}
	w.ref.transferred(t, x)
}

// refused submits a transfer that must fail.
func (w *world) refused(t *kernel.Task, x transfer, errno kernel.Errno) {
	w.submit(t, x)
	w.failed(t, w.rings[x.ring].WaitCQE(t), errno)
}

// failed checks the completion entry of a transfer that must fail.
func (w *world) failed(t *kernel.Task, c uringsim.CQE, errno kernel.Errno) {
	if c.Res != iter.Neg(errno) {
		t.Fail(iter.WrongErrno, "a transfer completed with %s, and not with %v", result(c.Res), errno)
	}
}

// cpuWrite has the CPU write to a part of the buffer, without a word to anybody.
func (w *world) cpuWrite(t *kernel.Task, x transfer) {
	data := hw.Bytes("cpu", uint64(x.at)*sector, x.n*sector)
	hw.Poke(w.exp.Backing(), x.at*sector, data)
	w.ref.buffer = w.ref.buffer.Overwrite(x.at*sector, data)
}

// submit issues the transfer.
func (w *world) submit(t *kernel.Task, x transfer) { w.submitAs(t, x, 0) }

func (w *world) submitAs(t *kernel.Task, x transfer, userData uint64) {
	op := uringsim.IORING_OP_READ_FIXED
	if x.write {
		op = uringsim.IORING_OP_WRITE_FIXED
	}
	w.rings[x.ring].Submit(t, uringsim.SQE{
		Opcode: op, File: w.file,
		Addr: uint64(x.at) * hw.SectorSize, Len: uint64(x.n) * hw.SectorSize,
		Off:      int64(x.lba) * hw.SectorSize,
		UserData: userData,
	})
}

// result words what a completion entry says.
func result(res int64) string {
	if res < 0 {
		return kernel.Errno(-res).String()
	}
	return strconv.FormatInt(res, 10)
}
