package scenarios

import (
	"fmt"

	"dmasim/dmabufsim"
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// Workload is a program that is drawn, not named: tasks that transfer, and exporters
// that are at their buffers meanwhile.
type Workload struct {
	// Exporter is the kind of exporter, and Mode how the rings are driven: see [Exporters] and
	// [RingModes]. Empty is the first of each.
	Exporter, Mode string
	// Distant says that the drive does not reach the memory of other devices, so that a GPU
	// migrates what it maps. Exporters that only have such memory do not take the drive then.
	Distant bool
	// Reuse has a GPU use the pages first that its buffers have left (ABA).
	Reuse bool
	// Buffers, 0 for one. Submitters take turns in using them.
	Buffers int
	// Tags of the drive.
	Tags int
	// Moves of each buffer, one after the other, or whatever its exporter does in place of that.
	Moves int
	// Pipelined has the moves of an exporter that is no GPU copy in a job of their own.
	Pipelined bool
	// Neighbour has a network card import the first buffer and read it, as often as it moves.
	Neighbour bool
	// Warm has the mappings made before anything else.
	Warm bool
	// Batch is set if completions come in batches.
	Batch bool
	// Reclaims is how many allocations of each task may have to reclaim memory, which waits for
	// all fences that are published, and Failures how many may fail; then only those on the path
	// of the I/O do.
	Reclaims, Failures int
	// Without names detectors that are off: see [kernel.Detectors].
	Without []string
	// Clones is how many of the submitters, the last ones, share the registrations of others.
	Clones int
	// Submitters are the tasks. Each has a ring of its own, in which the buffers are registered,
	// and parts of a buffer and of the drive for itself.
	Submitters []Submitter
}

// Submitter is a task that transfers.
type Submitter struct {
	// AtOnce is set if it submits all its transfers before it waits for any. Then each
	// transfer has its own place: transfers that overlap in time and place have no
	// defined result.
	AtOnce    bool
	Transfers []Transfer
}

// Transfer is one read or write of up to two pages.
type Transfer struct {
	Write bool
	// Start is the first sector in the submitter's, or the transfer's, two pages of the
	// buffer, Len the number of sectors; together at most two pages.
	Start, Len int
	// Lba is the first sector on the submitter's, or the transfer's, part of the drive.
	Lba int
}

// slot is the part of the buffer and of the drive that a transfer can have, in
// sectors.
const slot = 2 * page

// Program makes the program of a workload on a design with further repairs.
func Program(d *Design, on token.Fix, wl Workload) func(*sim.Task) {
	per := 1 // slots of a submitter
	for _, s := range wl.Submitters {
		if s.AtOnce {
			per = max(per, len(s.Transfers))
		}
	}
	cfg := config{
		exporter: wl.Exporter, mode: wl.Mode, buffers: max(wl.Buffers, 1), pages: len(wl.Submitters)*per*slot/page + 1,
		tags: wl.Tags, batch: wl.Batch, rings: len(wl.Submitters), clones: wl.Clones,
		reclaims: wl.Reclaims, failures: wl.Failures, auditTags: true,
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
		t, w := boot(st, Case{Design: d, Fixes: on, Without: wl.Without}, cfg)
		if wl.Warm {
			w.warm(t)
		}
		for i, s := range wl.Submitters {
			t.Go(submitter(i), func(t *kernel.Task) { w.drive(t, i, s.place(i, i%cfg.buffers, per), s.AtOnce) })
		}
		for i, b := range w.bufs {
			if b.disturb == nil {
				continue
			}
			t.Go(fmt.Sprintf("exporter-%d", i), func(t *kernel.Task) {
				for n := range wl.Moves {
					if wl.Pipelined && wl.Exporter == "" {
						w.exp.MovePipelined(t)
					} else {
						b.disturb(t, n)
					}
				}
			})
		}
		var nic *dmabufsim.RDMA
		if wl.Neighbour {
			nic = w.neighbour(t, wl.Moves)
		}
		t.Explore()
		if nic != nil {
			nic.Close(t)
		}
		w.teardown(t)
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
			w.do(t, x)
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
			switch got, err := nic.Transfer(t, hw.ToDevice, last, nil); {
			case b.forgets || err == kernel.ENOMEM && w.failing:
			case err != kernel.OK || !got.Equal(want):
				t.Fail(hw.DataCorruption, "the network card read %v (%v)", got, err)
			}
		}
	})
	return nic
}

// place gives the transfers of the i-th submitter their places in the buffer.
func (s Submitter) place(i, buf, per int) []transfer {
	var out []transfer
	for k, op := range s.Transfers {
		part := i * per
		if s.AtOnce {
			part += k
		}
		out = append(out, transfer{ring: i, buf: buf, write: op.Write, at: part*slot + op.Start, n: op.Len, lba: 2*part*slot + op.Lba})
	}
	return out
}
