package scenarios

import (
	"cmp"
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

// world is one machine with everything on the path: a drive, buffers and their exporters, and
// rings in each of which the buffers are registered for the drive, in slots from 0 on.
type world struct {
	bus    *dmabufsim.Bus
	bufs   []*buffer
	exp    *dmabufsim.Moving // the first buffer, if it is one that can move
	gpu    *dmabufsim.GPU    // whose buffers they are, if the exporter is a GPU
	driver *nvmesim.Driver
	queue  *blkmq.Queue
	ctrl   *nvmesim.Controller
	file   *iter.File
	rings  []*uringsim.Ring
	ref    *reference

	freezing *dmabufsim.Freezing // the first buffer, if the exporter is such a one
	mode     mode
	failing  bool // allocations may fail
	bounces  bool // the drive does not reach all memory by itself
	cuts     bool // the drive may take less in a command than a transfer has
	align    int  // what the drive wants of bytes of memory, 0 if it is not looked at
	used     int  // rings that tasks use
	tokens   int  // of these, the first ones: those with registrations of their own; the others have clones
	ragged   bool // the driver may refuse to map a buffer
	torn     bool // the driver must refuse to map a buffer
	recovers bool // the driver deals with timeouts, resets and removal

	// What workloads have besides, see act.
	user     *uringsim.User
	long     *dmabufsim.DmaBuf
	swapped  []*hw.Page // what goes to swap
	swapFile *iter.File
	// Another program's file, which goes through the page cache, its memory, and how often it has written
	// which sectors.
	cachedFile  *iter.File
	program     []*hw.Page
	dirtied     map[uint64]int
	losesDirect bool // the file may have lost O_DIRECT
	leaving     bool // the driver may have been unbound
}

// config says how a world differs from the usual one.
type config struct {
	// exporter is the kind of driver that exports the buffers, see kinds. Empty means one that
	// moves in the system's memory. A GPU has vram pages of memory, in which its buffers are then.
	// The drive reaches memory of other devices, if it does, as peer says.
	exporter string
	vram     int
	peer     hw.Peer
	// old is what becomes of the pages that a buffer of a GPU leaves, unless it is ToOther, and
	// timeout when the GPU kills a job. layout is that of an odd exporter.
	old     dmabufsim.Leaving
	timeout kernel.Jiffies
	layout  dmabufsim.Layout

	buffers int  // 0 means 1
	pages   int  // of each buffer; 0 means 2
	tags    int  // of the drive; 0 means 8
	batch   bool // completions come in batches

	rings   int    // 0 means 1
	idle    int    // rings besides, with registrations of their own
	spare   int    // slots of a ring beyond those of the buffers
	clones  int    // of the rings, the last ones, which share the registrations of the others
	mode    string // of the rings, see modes
	workers int    // of a ring's bounded pool; 0 means what the kernel takes

	// reclaims is how many allocations of each task may have to reclaim memory, failures how many
	// may fail, in the tasks that are named, or all.
	reclaims, failures int
	pressed            []string

	// active is how many works of a workqueue can be active at once; 0 means what the kernel takes.
	active int

	// drive says how the drive differs from the usual one, and limits how those of its queue do.
	drive  nvmesim.Config
	limits func(*blkmq.Limits)

	// auditTags and auditQueue ask for nothing to be left of these at the end.
	auditTags, auditQueue bool
	// disk is 1 if the disk is there at the end, with its reference of the queue.
	disk int
}

const driveSize = 1 << 30

// boot sets a world up on the machine of t, registration included.
func boot(st *sim.Task, c Case, cfg config) (*kernel.Task, *world) {
	cfg.buffers, cfg.pages, cfg.tags, cfg.rings = cmp.Or(cfg.buffers, 1), cmp.Or(cfg.pages, 2), cmp.Or(cfg.tags, 8), cmp.Or(cfg.rings, 1)
	t := kernel.Boot(st)
	t.K.DflActive = cfg.active
	for _, d := range c.Without {
		if err := t.Without(d); err != nil {
			t.Fail(sim.Misuse, "%v", err)
		}
	}
	token.Repair(t, c.Fixes|c.Design.Fixes)
	w := &world{bus: dmabufsim.NewBus(t), mode: modeOf(cfg.mode), failing: cfg.failures > 0, used: cfg.rings, tokens: cfg.rings - cfg.clones}
	w.bus.SyncsAtUnmap = !token.Repaired(t, token.FixSkipUnmapSync)
	for i := range cfg.buffers {
		name := "vram"
		if i > 0 {
			name += strconv.Itoa(i)
		}
		w.bufs = append(w.bufs, w.export(t, cfg, name))
	}
	cfg.drive.Name, cfg.drive.Size, cfg.drive.Depth, cfg.drive.Design = "nvme0", driveSize, cfg.tags, c.Design.maker
	if w.bounces = cfg.drive.IOMMU.Bounce; w.bounces {
		cfg.drive.IOMMU.Memory = w.bus.Memory
	}
	if w.mode.flags&uringsim.IORING_SETUP_IOPOLL != 0 {
		cfg.drive.PollQueues = 1
	}
	w.driver, w.recovers = nvmesim.NewDrive(t, cfg.drive), cfg.drive.Recovers
	w.queue, w.ctrl = w.driver.Queue(), w.driver.Controller()
	if cfg.limits != nil {
		cfg.limits(&w.queue.Limits)
	}
	for _, b := range w.bufs {
		if b.peer != nil {
			w.ctrl.IOMMU.SetPeer(b.peer, cfg.peer)
		}
	}
	w.queue.Batch = cfg.batch
	w.file = w.queue.Open(iter.O_DIRECT)
	w.ref = newReference(w)
	w.audit(t, cfg)
	for i := range cfg.rings + cfg.idle {
		if i == cfg.rings {
			cfg.mode = "" // nobody enters them, or closes them
		}
		r := w.newRing(t, cfg)
		w.rings = append(w.rings, r)
		if i >= w.tokens && i < cfg.rings {
			r.CloneBuffers(t, uringsim.CloneArgs{Src: w.rings[i%w.tokens], Flags: uringsim.IORING_REGISTER_DST_REPLACE})
			continue
		}
		for slot, b := range w.bufs {
			w.register(t, r, slot, b.buf)
		}
	}
	if cfg.reclaims+cfg.failures > 0 {
		t.K.Pressure(cfg.reclaims, cfg.failures, cfg.pressed...)
	}
	return t, w
}

// register registers a buffer for the drive, which has to succeed.
func (w *world) register(t *kernel.Task, r *uringsim.Ring, slot int, buf *dmabufsim.DmaBuf) {
	if err := r.RegisterDmaBuf(t, slot, w.file, buf); err != kernel.OK {
		t.Fail(iter.WrongErrno, "registration of the dma-buf failed with %v", err)
	}
}

// teardown compares all data, unregisters the buffers, and drops the exporters'
// references.
func (w *world) teardown(t *kernel.Task) {
	w.ref.checkAll(t)
	for _, r := range w.rings {
		for slot := range w.bufs {
			if !r.Gone() {
				r.UnregisterBuffer(t, slot)
			}
		}
	}
	w.release(t)
}

// release drops the exporters' references.
func (w *world) release(t *kernel.Task) {
	for _, b := range w.bufs {
		if b.stop != nil {
			b.stop(t)
		}
		b.buf.Put(t)
	}
}

// page is the number of sectors of a page, sector that of bytes of a sector.
const page, sector = hw.SectorsPerPage, hw.SectorSize

// transfer is one read from the drive into a buffer, or write from the buffer to the
// drive: n sectors, from sector at of the buffer, and from sector lba of the drive.
type transfer struct {
	ring, buf  int
	write      bool
	act        string // do something else instead, see acts
	late       bool   // it was submitted when the file had lost O_DIRECT
	at, n, lba int
}

// do submits the transfer, waits for it, and checks its result and its data.
func (w *world) do(t *kernel.Task, x transfer) {
	x.late = !w.file.Direct(t)
	w.submit(t, x)
	w.expect(t, x, w.rings[x.ring].WaitCQE(t))
}

// doAll submits the transfers, all on one ring, and only then waits for them.
func (w *world) doAll(t *kernel.Task, xs ...transfer) {
	flying := 0
	for i, x := range xs {
		if w.act(t, x) {
			continue
		}
		xs[i].late = !w.file.Direct(t)
		w.submitAs(t, x, uint64(i))
		flying++
	}
	for range flying {
		c := w.rings[xs[0].ring].WaitCQE(t)
		w.expect(t, xs[c.UserData], c)
	}
}

// expect checks the completion entry of a transfer, and its data.
func (w *world) expect(t *kernel.Task, x transfer, c uringsim.CQE) {
	if x.act == vectored {
		if c.Res >= 0 || !w.mayFail(x, kernel.Errno(-c.Res)) {
			w.failed(t, c, kernel.EFAULT)
		}
		return
	}
	if c.Res < 0 && w.mayFail(x, kernel.Errno(-c.Res)) {
		if w.cuts || w.gone() {
			w.ref.perhaps(t, x)
		}
		return // otherwise nothing was transferred
	}
	if w.align > 0 && (x.at|x.n)*hw.SectorSize%w.align != 0 {
		w.failed(t, c, kernel.EINVAL)
		return
	}
	if want := int64(x.n) * hw.SectorSize; c.Res != want {
		t.Fail(iter.WrongErrno, "a transfer of %d bytes at sector %d of the drive ended with %s", want, x.lba, result(c.Res))
	}
	w.ref.transferred(t, x)
	if w.torn || x.late {
		t.Fail(iter.WrongErrno, "a transfer succeeded (%s) that the driver, or the file, cannot do", result(c.Res))
	}
}

// doTogether submits the transfers in one call, and waits for them.
func (w *world) doTogether(t *kernel.Task, xs ...transfer) {
	r := w.rings[xs[0].ring]
	for i, x := range xs {
		r.Queue(t, w.sqe(x, uint64(i)))
	}
	if n, err := r.Enter(t, len(xs), 0, 0); n != len(xs) {
		t.Fail(iter.WrongErrno, "io_uring_enter submitted %d of %d, %v", n, len(xs), err)
	}
	for range xs {
		c := r.WaitCQE(t)
		w.expect(t, xs[c.UserData], c)
	}
}

// short does a transfer that ends early, after so many sectors.
func (w *world) short(t *kernel.Task, x transfer, sectors int) {
	w.submit(t, x)
	x.n = sectors
	w.expect(t, x, w.rings[x.ring].WaitCQE(t))
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

// cpuWrite has the CPU write to a part of a buffer, without a word to anybody.
func (w *world) cpuWrite(t *kernel.Task, x transfer) {
	data := hw.Bytes("cpu", uint64(x.at)*sector, x.n*sector)
	hw.Poke(w.bufs[x.buf].backing(), x.at*sector, data)
	w.ref.buffers[x.buf] = w.ref.buffers[x.buf].Overwrite(x.at*sector, data)
}

// mayFail tells whether a transfer may end with an error: then nothing was transferred.
func (w *world) mayFail(x transfer, err kernel.Errno) bool {
	switch err {
	case kernel.ENOMEM:
		return w.failing
	case kernel.ENODEV:
		return w.bufs[x.buf].forgets || w.gone()
	case kernel.EIO, kernel.EREMOTEIO: // the latter of a command that is not tried again
		return w.gone()
	case kernel.EINVAL:
		return w.ragged || w.losesDirect
	case kernel.EOPNOTSUPP: // only direct I/O can be polled for
		return w.losesDirect && w.mode.flags&uringsim.IORING_SETUP_IOPOLL != 0
	}
	return false
}

// gone tells whether the driver may have been unbound, or have given the drive up: it does so where a
// command is lost while the drive is reset.
func (w *world) gone() bool { return w.leaving || w.driver.GivenUp() }

// submit issues the transfer.
func (w *world) submit(t *kernel.Task, x transfer) { w.submitAs(t, x, 0) }

func (w *world) submitAs(t *kernel.Task, x transfer, userData uint64) {
	w.rings[x.ring].Submit(t, w.sqe(x, userData))
}

func (w *world) sqe(x transfer, userData uint64) uringsim.SQE {
	op := uringsim.IORING_OP_READ_FIXED
	if x.write {
		op = uringsim.IORING_OP_WRITE_FIXED
	}
	if x.act == vectored {
		return uringsim.SQE{Opcode: uringsim.IORING_OP_READV_FIXED, Flags: w.mode.sqe, File: w.file, BufIndex: x.buf,
			Iovecs: []iter.Iovec{{Len: hw.PageSize}}, UserData: userData}
	}
	first := uint64(0)
	if x.buf < len(w.bufs) {
		first = w.bufs[x.buf].first
	}
	return uringsim.SQE{
		Opcode: op, Flags: w.mode.sqe, File: w.file, BufIndex: x.buf,
		Addr: first + uint64(x.at)*hw.SectorSize, Len: uint64(x.n) * hw.SectorSize,
		Off:      int64(x.lba) * hw.SectorSize,
		UserData: userData,
	}
}

// result words what a completion entry says.
func result(res int64) string {
	if res < 0 {
		return kernel.Errno(-res).String()
	}
	return strconv.FormatInt(res, 10)
}
