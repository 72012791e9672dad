package nvmesim

import (
	"dmasim/blkmq"
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// Driver is the PCI driver of one controller: struct nvme_dev.
type Driver struct {
	// SGLThreshold is the module's parameter sgl_threshold: the average length of a segment
	// from which on SGLs are used; 0 for never.
	SGLThreshold int

	ctrl         *Controller
	queue        *blkmq.Queue
	queues       []*queuePair // by hardware queue
	iods         [][]iod      // by hardware queue and tag
	small, large *pool
	spare        spare

	// What recovery needs, if there is one; obj stands for the state.
	recovers     bool
	obj          sim.Object
	state        State
	aborts       int  // abort_limit: how many more can be sent
	on           bool // the device is enabled
	stopped      bool // NVME_CTRL_STOPPED
	stopsFirst   bool
	removed      bool // the tag set has no queue any more
	frozen       int
	shutdownLock kernel.Mutex
	resetWq      *kernel.Workqueue
	resetWork    kernel.Work
	regs         registrations

	warned   bool
	ignored  int    // completions of nobody's request
	answered uint64 // bytes of the requests of which the drive has said that it has done them

	// What is used again and again: nothing else happens while it is in use.
	pages   []*hw.Page
	vecs    []iter.Bvec
	entries words
}

// Config says how a drive and its driver differ from the usual ones.
type Config struct {
	Name string
	// Size of the drive, in bytes.
	Size int64
	// Depth is the number of tags of each queue.
	Depth int
	// Queues are those that raise interrupts, 0 for one; PollQueues come after them.
	Queues, PollQueues int
	// Completion is how the former do that.
	Completion Completion
	Design     token.Design
	// IOMMU is what is in front of the drive.
	IOMMU hw.Config
	// Memory is where the driver's descriptors are, nil for memory of its own.
	Memory *hw.Memory
	// MDTS and SGL are those of the controller. MaxSegments replaces the driver's number of
	// segments, if it is not 0.
	MDTS        uint8
	SGL         bool
	MaxSegments uint32
	// MaxDescriptors is how many blocks each pool of descriptors has, 0 for enough.
	MaxDescriptors int
	WriteCache     bool
	// Recovers has the driver deal with timeouts: abort, reset, removal.
	Recovers bool
	// StopsFirst has nvme_quiesce_io_queues stop the queues before it says so. In Linux 6.12 it is the
	// other way around, and a reset that the driver's removal overlaps may leave the queues stopped.
	StopsFirst bool
}

// defaultSGLThreshold is that of the module's parameter.
const defaultSGLThreshold = 32 << 10

// maxTransferSize is NVME_MAX_KB_SZ, in bytes.
const maxTransferSize = 8 << 20

// NewDisk returns the queue of a drive of the given size, with depth tags, and its
// controller.
func NewDisk(t *kernel.Task, name string, size int64, depth int, d token.Design) (*blkmq.Queue, *Controller) {
	drv := NewDrive(t, Config{Name: name, Size: size, Depth: depth, Design: d})
	return drv.queue, drv.ctrl
}

// NewDrive returns the driver of a new drive, with a queue of one namespace.
func NewDrive(t *kernel.Task, cfg Config) *Driver {
	if cfg.Depth > 1<<tagBits-1 {
		t.Fail(sim.Misuse, "%s: a queue of %d entries; a command id has 12 bits for the tag", cfg.Name, cfg.Depth)
	}
	c := newController(t, cfg.Name, cfg.Size)
	c.MDTS, c.SGL = cfg.MDTS, cfg.SGL
	if cfg.IOMMU != (hw.Config{}) {
		c.IOMMU.Configure(t.Task, cfg.IOMMU)
	}
	if cfg.Memory == nil {
		cfg.Memory = &hw.Memory{}
	}
	cfg.Queues = max(cfg.Queues, 1)
	d := &Driver{ctrl: c, SGLThreshold: defaultSGLThreshold}
	d.small = newPool(t, "prp list 256", smallBlock, c.IOMMU, cfg.Memory)
	d.large = newPool(t, "prp list page", CtrlPageSize, c.IOMMU, cfg.Memory)
	c.pools = []*pool{d.small, d.large}
	t.OwnStatic(&d.spare.obj, "dma_pool", "prp lists in reserve")
	d.small.limit, d.large.limit = cfg.MaxDescriptors, cfg.MaxDescriptors
	for i := range cfg.Queues + cfg.PollQueues {
		mode := cfg.Completion
		if i >= cfg.Queues {
			mode = Polled
		}
		q := c.addQueue(t, cfg.Depth+1, mode)
		q.handler, q.flush, q.enabled = d.handle, d.completeBatch, true
		d.queues = append(d.queues, q)
		d.iods = append(d.iods, make([]iod, cfg.Depth))
		for tag := range d.iods[i] {
			d.iods[i][tag].place = i*cfg.Depth + tag
		}
	}
	d.spare.place = len(d.iods) * cfg.Depth
	tags := blkmq.NewTagsetOf(t, cfg.Name+"n1 tags", cfg.Depth, cfg.Queues, cfg.PollQueues)
	var ops blkmq.Ops = d
	if cfg.Recovers {
		ops = recovering{d}
		d.recovers, d.stopsFirst = true, cfg.StopsFirst
		d.initRecovery(t)
	}
	d.queue = tags.NewQueue(t, cfg.Name+"n1", cfg.Size, d.limits(t, cfg), ops, cfg.Design)
	d.queue.WriteCache = cfg.WriteCache
	return d
}

// limits is nvme_set_ctrl_limits. A controller that can do SGLs can do gaps, but until 6.12
// nobody makes use of it.
func (d *Driver) limits(t *kernel.Task, cfg Config) blkmq.Limits {
	l := blkmq.Limits{LogicalBlock: LogicalBlock, MaxSegments: 256, MaxSegmentSize: 1<<32 - 1, DmaAlignment: 3}
	if t.K.Profile == kernel.V6_12 {
		l.MaxSegments = 128
	}
	if cfg.MaxSegments != 0 {
		l.MaxSegments = cfg.MaxSegments
	}
	bytes := maxTransferSize
	if m := d.ctrl.maxTransfer(); m != 0 {
		bytes = min(bytes, m)
	}
	l.MaxHWSectors = uint32(bytes / hw.SectorSize)
	l.MaxWriteZeroesSectors = l.MaxHWSectors
	if t.K.Profile == kernel.V6_12 || !d.ctrl.SGL {
		l.VirtBoundary = CtrlPageSize - 1
	}
	return l
}

// Queue is the queue of the namespace.
func (d *Driver) Queue() *blkmq.Queue { return d.queue }

// Controller is the drive.
func (d *Driver) Controller() *Controller { return d.ctrl }

// iod is the driver's part of a request.
func (d *Driver) iod(rq *blkmq.Request) *iod { return &d.iods[rq.Hctx.Num][rq.Tag()] }

// QueueRq is nvme_queue_rq.
func (d *Driver) QueueRq(t *kernel.Task, rq *blkmq.Request) kernel.BlkStatus {
	q := d.queues[rq.Hctx.Num]
	if s := d.prepare(t, q, rq); s != kernel.BLK_STS_OK {
		return s
	}
	io := d.iod(rq)
	if rq.Frag.Use != nil {
		t.Atf("PRE-4", "doorbell: %s through %v", io.cmd.Opcode, rq.Map)
	} else {
		t.Atf("", "doorbell: %s", io.cmd.Opcode)
	}
	q.submit(t, rq.Last, &io.cmd)
	return kernel.BLK_STS_OK
}

// QueueRqs is nvme_queue_rqs: commands of one queue are made known together. What cannot be
// prepared now is returned.
func (d *Driver) QueueRqs(t *kernel.Task, rqs []*blkmq.Request) (left []*blkmq.Request) {
	var q *queuePair
	var cmds []*Command
	for _, rq := range rqs {
		of := d.queues[rq.Hctx.Num]
		if q != nil && q != of {
			q.submit(t, true, cmds...)
			cmds = nil
		}
		q = of
		if d.prepare(t, q, rq) != kernel.BLK_STS_OK {
			left = append(left, rq)
			continue
		}
		cmds = append(cmds, &d.iod(rq).cmd)
	}
	if q != nil {
		q.submit(t, true, cmds...)
	}
	return left
}

// CommitRqs is nvme_commit_rqs.
func (d *Driver) CommitRqs(t *kernel.Task, h *blkmq.Hctx) { d.queues[h.Num].submit(t, true) }

// prepare is nvme_prep_rq (NV-0, NV-1).
func (d *Driver) prepare(t *kernel.Task, q *queuePair, rq *blkmq.Request) kernel.BlkStatus {
	if d.recovers {
		t.Touch(&q.obj, submission)
		if !q.enabled {
			return kernel.BLK_STS_IOERR
		}
	}
	rq.CheckLimits(t)
	io := d.iod(rq)
	io.begin(rq)
	if rq.Nsegs == 0 && rq.Frag.Use != nil {
		t.Mark("NV-0 without data")
	}
	if rq.Nsegs > 0 {
		t.Mark(rq.Step("NV-0"))
		if s := d.program(t, io, rq); s != kernel.BLK_STS_OK {
			return s
		}
	}
	rq.Start(t)
	return kernel.BLK_STS_OK
}

// program maps the data of a request and writes the command's data pointer (NV-1). That is
// garbage for a token without a map: an ordinary mapping takes the token for a vector, and
// the controller gets an address that is nobody's.
func (d *Driver) program(t *kernel.Task, io *iod, rq *blkmq.Request) kernel.BlkStatus {
	switch {
	case rq.Map != nil:
		t.Mark("NV-1")
		t.Use(&rq.Map.Mem) // PRE-1, and what follows reads the array
		return d.premapped(t, io, rq, arrayOf(t, rq.Map), rq.Bio.Done, int32(rq.Bytes))
	case rq.Frag.Use != nil:
		t.Stress("NV-1", "no map: the token is taken for a vector")
		t.Mark("NV-1 without map")
		io.single = rq.Nsegs == 1
		io.cmd.DPTR1, io.cmd.DPTR2 = uint64(hw.Poison), uint64(hw.Poison)
		return kernel.BLK_STS_OK
	}
	d.vecs = d.vecs[:0]
	for v := range rq.Vecs {
		d.vecs = append(d.vecs, v)
	}
	return d.mapData(t, io, rq.Dir(), d.vecs)
}
