package dmabufsim

import (
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// Moving is a dynamic exporter: its buffer lives in pages that it can exchange for
// others at any time, as a GPU driver evicts a buffer.
type Moving struct {
	Buf *DmaBuf
	// WaitFor is the usage class that a move waits for; BOOKKEEP is everything.
	WaitFor Usage
	// NewOwner is who gets the old pages.
	NewOwner string

	bus     *Bus
	backing []*hw.Page
	moves   int
}

// NewMoving exports a buffer of n pages, filled with contents of its own.
func NewMoving(t *kernel.Task, b *Bus, name string, n int) *Moving {
	m := &Moving{bus: b, WaitFor: UsageBookkeep, NewOwner: "evicted"}
	m.backing = b.Memory.Alloc(t.Task, name, n)
	hw.Fill(m.backing, name)
	m.Buf = b.Export(t, name, uint64(n)*hw.PageSize, m)
	return m
}

// Backing is where the buffer is now, for oracles.
func (m *Moving) Backing() []*hw.Page { return m.backing }

// MapDmaBuf maps the current backing, as one segment.
func (m *Moving) MapDmaBuf(t *kernel.Task, a *Attachment, dir hw.Direction) (*SgTable, kernel.Errno) {
	base := a.Dev.Map(t.Task, m.backing)
	return &SgTable{Segments: []hw.Segment{{Addr: base, Len: len(m.backing) * hw.PageSize}}, Pages: m.backing}, kernel.OK
}

// UnmapDmaBuf takes the mapping away from the device.
func (m *Moving) UnmapDmaBuf(t *kernel.Task, a *Attachment, sgt *SgTable, dir hw.Direction) {
	for _, s := range sgt.Segments {
		a.Dev.Unmap(t.Task, s.Addr, s.Len/hw.PageSize)
	}
}

// Release gives the pages back.
func (m *Moving) Release(t *kernel.Task) { hw.Give(t.Task, m.backing, "") }

// Move takes the buffer elsewhere, as an eviction does: under the reservation lock
// it notifies the importers, waits for the fences, copies the contents, and gives
// the old pages to another owner.
func (m *Moving) Move(t *kernel.Task) {
	t.At("", "dma_resv_lock()")
	m.Buf.Resv.Lock(t, nil)
	old := m.backing
	fresh := m.bus.Memory.Alloc(t.Task, m.Buf.Name, len(old))
	t.Say("", "dma_buf_move_notify()")
	m.Buf.MoveNotify(t)
	t.At("", "dma_resv_wait_timeout("+m.WaitFor.String()+")")
	m.Buf.Resv.Wait(t, m.WaitFor)
	// From here on the importers have promised not to touch the old pages.
	hw.Fence(t.Task, old)
	t.Atf("", "move: copy %s -> %s", hw.Span(old), hw.Span(fresh))
	hw.Copy(t.Task, fresh, old)
	m.backing = fresh
	m.moves++
	t.Atf("", "pages %s now belong to %q", hw.Span(old), m.NewOwner)
	hw.Give(t.Task, old, m.NewOwner)
	t.At("", "dma_resv_unlock()")
	m.Buf.Resv.Unlock(t)
}
