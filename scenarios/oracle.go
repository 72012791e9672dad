package scenarios

import (
	"fmt"

	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

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
func (r *reference) transferred(t *kernel.Task, write bool, at, pages, lba int) {
	first := at * hw.SectorsPerPage
	block := uint64(lba * hw.SectorsPerPage)
	for i := range pages * hw.SectorsPerPage {
		b := block + uint64(i)
		if write {
			r.blocks[b] = r.buffer[first+i]
		} else {
			r.buffer[first+i] = r.block(b)
		}
	}
	if f := r.check(); f != nil {
		t.Fail(f.Kind, "after the %s completed, %s", map[bool]string{true: "write", false: "read"}[write], f.Message)
	}
}

// check compares the whole of the buffer, where it is now, and the blocks that were
// written, with what they must hold.
func (r *reference) check() *sim.Failure {
	pages := r.w.exp.Backing()
	for i, want := range r.buffer {
		if got := hw.Sector(pages, i); got != want {
			return &sim.Failure{Kind: hw.DataCorruption,
				Message: fmt.Sprintf("sector %d of the buffer holds %s, not %s", i, got, want)}
		}
	}
	for b := range r.w.ctrl.Written() {
		if got, want := r.w.ctrl.Block(b), r.block(b); got != want {
			return &sim.Failure{Kind: hw.DataCorruption,
				Message: fmt.Sprintf("block %d of the drive holds %s, not %s", b, got, want)}
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
		return left(w.ring.InFlight(), "request(s) of the ring without a completion entry")
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
