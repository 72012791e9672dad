package scenarios

import (
	"cmp"
	"fmt"
	"slices"

	"dmasim/blkmq"
	"dmasim/dmabufsim"
	"dmasim/iter"
	"dmasim/nvmesim"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// Workload is a program that is drawn or written down, not named: tasks that transfer, and
// exporters that are at their buffers meanwhile. [Workload.String] has it as text.
type Workload struct {
	// Exporter is the kind of exporter, and Mode how the rings are driven: see [Exporters] and
	// [RingModes]. Empty is the first of each.
	Exporter, Mode string
	// Layout is what the tables of the exporter "odd" look like.
	Layout Layout
	// Distant says that the drive does not reach the memory of other devices, so that a GPU
	// migrates what it maps. Exporters that only have such memory do not take the drive then.
	Distant bool
	// Reuse has a GPU use the pages first that its buffers have left (ABA).
	Reuse bool
	// Buffers, 0 for one. Submitters take turns in using them.
	Buffers int
	// Drive says how the drive differs from the usual one.
	Drive Drive
	// Moves of each buffer, one after the other, or whatever its exporter does in place of that.
	Moves int
	// Pipelined has the moves of an exporter that is no GPU copy in a job of their own.
	Pipelined bool
	// Neighbour has a network card import the first buffer and read it, as often as it moves.
	Neighbour bool
	// Warm has the mappings made before anything else.
	Warm bool
	// Idle is how many registrations of each buffer there are besides, in rings that nobody uses.
	// With Warm they have mappings.
	Idle int
	// Exhausted is set if there is no memory until the exporter of the first buffer has moved it:
	// for workers, nor for lists of the driver.
	Exhausted bool
	// Swap has an exporter write to swap on the drive, with the reservation lock held, before each
	// move.
	Swap bool
	// Reclaims is how many allocations of each task may have to reclaim memory, which waits for
	// all fences that are published, and Failures how many may fail; then only those on the path
	// of the I/O do.
	Reclaims, Failures int
	// Without names detectors that are off: see [kernel.Detectors].
	Without []string
	// Clones is how many of the submitters, the last ones, share the registrations of others.
	Clones int
	// Pages of a buffer that a transfer can have, 0 for two.
	Pages int
	// Submitters are the tasks. Each has a ring of its own, in which the buffers are registered,
	// and parts of a buffer and of the drive for itself.
	Submitters []Submitter
}

// Drive is the drive of a workload. What is 0 is as usual.
type Drive struct {
	Tags   int
	Queues int  // that raise interrupts
	Batch  bool // completions come in batches
	// Sectors and Segments are the most that a command takes, Chunk is the distance in sectors
	// of the boundaries that none crosses, and Align what bytes of memory must be a multiple of.
	Sectors, Segments, Chunk, Align int
	// Bounce copies what is transferred through other memory, and Lazy leaves what was unmapped
	// in the TLB for a while.
	Bounce, Lazy bool
	// Interrupted is the number of a command that the drive interrupts, and the driver tries again;
	// Lost that of one that it never answers, so that it is aborted when its time is over.
	Interrupted, Lost int
	// Protected says that it has protection information, which the block layer makes and checks.
	Protected bool
	// Resets is how often somebody resets it.
	Resets int
	// Unbound has the driver taken from it. Transfers may fail then.
	Unbound bool
}

// recovers tells whether the driver deals with timeouts, resets and removal.
func (d Drive) recovers() bool { return d.Lost+d.Resets > 0 || d.Unbound }

// Layout is what the tables of an odd exporter look like.
type Layout struct {
	Cuts  []int // lengths of the segments in pages, over and over
	Row   int   // pages of the system that come in a row
	Holes bool  // between the addresses of segments
	// Ragged has each of the lengths be half a page less: drivers may refuse to map such a buffer.
	Ragged bool
}

// Submitter is a task that transfers.
type Submitter struct {
	// AtOnce is set if it submits all its transfers before it waits for any. Then each
	// transfer has its own place: transfers that overlap in time and place have no
	// defined result.
	AtOnce    bool
	Transfers []Transfer
}

// Transfer is one read or write of some pages.
type Transfer struct {
	Write bool
	// Act is empty, or what the task does in place of a transfer: see [Acts]. Nothing else is looked
	// at then.
	Act string
	// Start is the first sector in the submitter's, or the transfer's, pages of the
	// buffer, Len the number of sectors; together at most these pages.
	Start, Len int
	// Lba is the first sector on the submitter's, or the transfer's, part of the drive, which
	// is twice as large.
	Lba int
}

// Program makes the program of a workload on a design with further repairs.
func Program(d *Design, on token.Fix, wl Workload) func(*sim.Task) {
	return wl.body(Case{Design: d, Fixes: on})
}

func (wl Workload) body(c Case) func(*sim.Task) {
	c.Without = append(c.Without[:len(c.Without):len(c.Without)], wl.Without...)
	per := 1 // slots of a submitter
	for _, s := range wl.Submitters {
		if s.AtOnce {
			per = max(per, len(s.Transfers))
		}
	}
	slot := wl.slot()
	cfg := config{
		exporter: wl.Exporter, mode: wl.Mode, buffers: max(wl.Buffers, 1), pages: len(wl.Submitters)*per*slot/page + 1,
		tags: wl.Drive.Tags, batch: wl.Drive.Batch, rings: len(wl.Submitters), clones: wl.Clones,
		drive: wl.Drive.config(), limits: wl.Drive.limits, layout: wl.Layout.table(),
		reclaims: wl.Reclaims, failures: wl.Failures, auditTags: true, auditQueue: true, disk: 1,
		idle: wl.Idle, spare: 2,
	}
	if wl.Drive.Unbound {
		cfg.disk = 0
	}
	if !wl.Distant {
		cfg.peer = hw.PeerThruHostBridge
	}
	if wl.Reuse {
		cfg.old = dmabufsim.Back
	}
	if wl.Failures > 0 { // an exporter that finds no memory does not move, which is no scenario
		cfg.pressed = []string{"iou-wrk", "iou-sqp"}
		for i := range wl.Submitters {
			cfg.pressed = append(cfg.pressed, submitter(i))
		}
	}
	cfg.vram = 2 * cfg.buffers * cfg.pages
	return func(st *sim.Task) {
		t, w := boot(st, c, cfg)
		w.align, w.cuts = wl.Drive.Align, wl.Drive.Sectors+wl.Drive.Segments+wl.Drive.Chunk > 0
		w.ragged, w.queue.Integrity = wl.Layout.Ragged, wl.Drive.Protected
		w.torn = wl.Layout.Ragged && wl.Layout.Cuts[0] == 1
		w.prepare(t, wl)
		if wl.Warm {
			w.warm(t)
		}
		if n := wl.Drive.Interrupted; n > 0 {
			w.ctrl.Inject(nvmesim.Fault{What: nvmesim.Fail, Status: nvmesim.CommandInterrupted, Nth: n})
		}
		if n := wl.Drive.Lost; n > 0 {
			w.ctrl.Inject(nvmesim.Fault{What: nvmesim.Hang, Nth: n})
		}
		if wl.Swap || wl.Exporter == "swapping" {
			w.swapFile = w.queue.Open(iter.O_DIRECT)
		}
		if wl.Swap {
			w.swapped = (&hw.Memory{}).Alloc(t.Task, "swapped out", 1)
		}
		if wl.Exhausted {
			t.ExhaustWorkers(true)
		}
		for i, s := range wl.Submitters {
			t.Go(submitter(i), func(t *kernel.Task) { w.drive(t, i, wl.place(i, i%cfg.buffers, per), s.AtOnce) })
		}
		for i, b := range w.bufs {
			if b.disturb == nil {
				continue
			}
			t.Go(fmt.Sprintf("exporter-%d", i), func(t *kernel.Task) {
				for n := range wl.Moves {
					if wl.Swap {
						w.swapOther(t, b.buf, i*wl.Moves+n)
					}
					if wl.Pipelined && wl.Exporter == "" {
						w.exp.MovePipelined(t)
					} else {
						b.disturb(t, n)
					}
				}
				if wl.Exhausted && i == 0 {
					t.ExhaustWorkers(false)
				}
			})
		}
		var nic *dmabufsim.RDMA
		if wl.Neighbour {
			nic = w.neighbour(t, wl.Moves)
		}
		if n := wl.Drive.Resets; n > 0 {
			t.Go("reset", func(t *kernel.Task) {
				for range n {
					w.driver.Reset(t)
				}
			})
		}
		if wl.Drive.Unbound {
			t.Go("unbind", w.unbind)
		}
		t.Explore()
		if nic != nil {
			nic.Close(t)
		}
		w.sync(t)
		w.teardown(t)
		w.finish(t)
	}
}

func submitter(i int) string { return fmt.Sprintf("io_uring-%d", i) }

// drive is what a submitter does.
func (w *world) drive(t *kernel.Task, ring int, xs []transfer, atOnce bool) {
	w.enter(t, ring)
	if atOnce {
		w.doAll(t, xs...)
	} else {
		for _, x := range xs {
			if !w.act(t, x) {
				w.do(t, x)
			}
		}
	}
	w.leave(t, ring)
}

// neighbour is a network card that has imported the first buffer, and a task that has it read the
// last page, which nobody else uses, a number of times.
func (w *world) neighbour(t *kernel.Task, times int) *dmabufsim.RDMA {
	b := w.bufs[0]
	dev := hw.NewIOMMU(t.Task, "mlx5")
	if b.peer != nil {
		dev.SetPeer(b.peer, hw.PeerThruHostBridge)
	}
	nic, err := dmabufsim.NewRDMA(t, b.buf, dev, true)
	if err != kernel.OK {
		t.Fail(iter.WrongErrno, "the network card's attach failed with %v", err)
	}
	last := len(b.backing()) - 1
	want := w.ref.buffers[0].Slice(last*hw.PageSize, hw.PageSize)
	t.Go("mlx5", func(t *kernel.Task) {
		for range times {
			switch got, err := nic.Transfer(t, hw.ToDevice, int(b.first/hw.PageSize)+last, nil); {
			case b.forgets || err == kernel.ENOMEM && w.failing || b.swaps && w.elseFails(err):
			case err != kernel.OK || !got.Equal(want):
				t.Fail(hw.DataCorruption, "the network card read %v (%v)", got, err)
			}
		}
	})
	return nic
}

// place gives the transfers of the i-th submitter their places in the buffer. A slot is the part of
// the buffer, and half the part of the drive, that a transfer can have, in sectors. Where another program writes,
// there is a page more for each part of the drive, of which it has the first sector, and transfers begin behind that.
func (wl Workload) place(i, buf, per int) []transfer {
	var out []transfer
	s, slot := wl.Submitters[i], wl.slot()
	for k, op := range s.Transfers {
		part := i * per
		if s.AtOnce {
			part += k
		}
		x := transfer{ring: i, buf: buf, act: op.Act, write: op.Write, at: part*slot + op.Start, n: op.Len, lba: 2*part*slot + op.Lba}
		if wl.dirties() {
			x.lba += part*page + 1
		}
		if op.Act == "dirty" {
			if s.AtOnce && k > 0 {
				part-- // what is there, is in flight
			}
			x.lba = part * (2*slot + page)
		}
		out = append(out, x)
	}
	return out
}

// dirties tells whether another program writes, too.
func (wl Workload) dirties() bool {
	for _, s := range wl.Submitters {
		if slices.ContainsFunc(s.Transfers, func(x Transfer) bool { return x.Act == "dirty" }) {
			return true
		}
	}
	return false
}

// slot is what a transfer can have of the buffer, in sectors.
func (wl Workload) slot() int { return cmp.Or(wl.Pages, 2) * page }

func (d Drive) config() nvmesim.Config {
	cfg := nvmesim.Config{Queues: d.Queues, Recovers: d.recovers(), StopsFirst: true, IOMMU: hw.Config{Bounce: d.Bounce}}
	if d.Lazy {
		cfg.IOMMU.Mode = hw.Lazy
	}
	return cfg
}

func (d Drive) limits(l *blkmq.Limits) {
	set := func(at *uint32, n int) {
		if n > 0 {
			*at = uint32(n)
		}
	}
	set(&l.MaxSectors, d.Sectors)
	set(&l.MaxSegments, d.Segments)
	set(&l.ChunkSectors, d.Chunk)
	if d.Align > 0 {
		l.DmaAlignment = uint32(d.Align - 1)
	}
}

func (l Layout) table() dmabufsim.Layout {
	t := dmabufsim.Layout{Chunk: l.Row, Holes: l.Holes}
	for _, n := range l.Cuts {
		n *= hw.PageSize
		if l.Ragged {
			n -= hw.PageSize / 2
		}
		t.Cuts = append(t.Cuts, n)
	}
	return t
}
