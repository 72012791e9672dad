package scenarios

import (
	"fmt"

	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// A check is no operation: it looks at the state as it is when a transfer completes,
// and at the end. What is wrong only in between, and right again at the end, may be
// missed where exploration is reduced.

// reference is what blocks and buffer must hold, kept apart from the model. It knows
// transfers when they complete; transfers that overlap in time and place have no
// defined result and are not issued by scenarios.
type reference struct {
	w      *world
	buffer []hw.Stamp
	blocks map[uint64]hw.Stamp
}

func newReference(w *world) *reference {
	r := &reference{w: w, blocks: map[uint64]hw.Stamp{}}
	pages := w.exp.Backing()
	for i := range len(pages) * hw.SectorsPerPage {
		r.buffer = append(r.buffer, hw.Sector(pages, i))
	}
	return r
}

func (r *reference) block(lba uint64) hw.Stamp {
	if s, ok := r.blocks[lba]; ok {
		return s
	}
	return hw.Stamp{Source: r.w.ctrl.Name, Block: lba}
}

// transferred notes a completed transfer and checks that it happened.
func (r *reference) transferred(t *kernel.Task, x transfer) {
	for i := range x.n {
		b := uint64(x.lba + i)
		if x.write {
			r.blocks[b] = r.buffer[x.at+i]
		} else {
			r.buffer[x.at+i] = r.block(b)
		}
	}
	f := r.checkBuffer(x.at, x.n)
	if f == nil {
		f = r.checkBlocks(uint64(x.lba), x.n)
	}
	if f != nil {
		t.Fail(f.Kind, "after the %s completed, %s", map[bool]string{true: "write", false: "read"}[x.write], f.Message)
	}
}

// checkAll compares everything with what it must hold, when nothing is in flight.
func (r *reference) checkAll(t *kernel.Task) {
	f := r.checkBuffer(0, len(r.buffer))
	for _, b := range r.w.ctrl.Written() {
		if f == nil {
			f = r.checkBlocks(b, 1)
		}
	}
	if f != nil {
		t.Fail(f.Kind, "at the end, %s", f.Message)
	}
}

// checkBuffer compares n sectors of the buffer, where it is now.
func (r *reference) checkBuffer(first, n int) *sim.Failure {
	for i := first; i < first+n; i++ {
		if got, want := hw.Sector(r.w.exp.Backing(), i), r.buffer[i]; got != want {
			return &sim.Failure{Kind: hw.DataCorruption, Message: fmt.Sprintf("sector %d of the buffer holds %s, not %s", i, got, want)}
		}
	}
	return nil
}

// checkBlocks compares n blocks of the drive.
func (r *reference) checkBlocks(first uint64, n int) *sim.Failure {
	for b := first; b < first+uint64(n); b++ {
		if got, want := r.w.ctrl.Block(b), r.block(b); got != want {
			return &sim.Failure{Kind: hw.DataCorruption, Message: fmt.Sprintf("block %d of the drive holds %s, not %s", b, got, want)}
		}
	}
	return nil
}

// strangers checks that pages which were given away hold what their owner put there.
func (r *reference) strangers() *sim.Failure {
	for _, p := range r.w.bus.Memory.Owned(r.w.exp.NewOwner) {
		for i := range hw.SectorsPerPage {
			if s := hw.Sector([]*hw.Page{p}, i); s.Source != p.Owner {
				return &sim.Failure{Kind: hw.DataCorruption,
					Message: fmt.Sprintf("page %#x of %q holds %s", p.PFN, p.Owner, s)}
			}
		}
	}
	return nil
}

// audit registers what must hold at the end of a run.
func (w *world) audit(t *kernel.Task, cfg config) {
	m := t.Machine()
	m.Audit(w.ref.strangers)
	m.Audit(func() *sim.Failure {
		return left(w.ctrl.IOMMU.Mapped(), "page(s) still mapped in the IOMMU of "+w.ctrl.Name)
	})
	m.Audit(func() *sim.Failure {
		n := 0
		for _, r := range w.rings {
			n += r.InFlight()
		}
		if n == 0 {
			return nil
		}
		return &sim.Failure{Kind: iter.LostCompletion, Message: fmt.Sprintf("%d request(s) of a ring were never completed", n)}
	})
	if cfg.auditTags {
		m.Audit(func() *sim.Failure { return left(w.queue.Tags.InUse(), "tag(s) of "+w.queue.Name+" still in use") })
	}
	if cfg.auditQueue {
		m.Audit(func() *sim.Failure { return left(w.queue.Refs(), "reference(s) left on the queue of "+w.queue.Name) })
	}
}

func left(n int, what string) *sim.Failure {
	if n == 0 {
		return nil
	}
	return &sim.Failure{Kind: kernel.Leak, Message: fmt.Sprintf("%d %s", n, what)}
}
