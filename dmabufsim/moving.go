package dmabufsim

import (
	"dmasim/sim"
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

	bus *Bus
	// pages are what new mappings get; contents is where the data is, which is elsewhere
	// until a pipelined copy has run.
	pages    []*hw.Page
	contents []*hw.Page
	context  uint64
	seqno    uint64
}

// NewMoving exports a buffer of n pages, filled with contents of its own.
func NewMoving(t *kernel.Task, b *Bus, name string, n int) *Moving {
	m := &Moving{bus: b, WaitFor: UsageBookkeep, NewOwner: "evicted"}
	m.pages = b.Memory.Alloc(t.Task, name, n)
	m.contents = m.pages
	hw.Fill(m.pages, name)
	m.Buf = b.Export(t, name, uint64(n)*hw.PageSize, m)
	m.context = m.Buf.FenceContextAlloc()
	return m
}

// Backing is where the contents of the buffer are now, for oracles.
func (m *Moving) Backing() []*hw.Page { return m.contents }

// MapDmaBuf maps the current backing, as few segments as it can.
func (m *Moving) MapDmaBuf(t *kernel.Task, a *Attachment, dir hw.Direction) (*SgTable, kernel.Errno) {
	return &SgTable{Segments: a.Dev.Map(t.Task, m.pages, dir), Pages: m.pages}, kernel.OK
}

// UnmapDmaBuf takes the mapping away from the device.
func (m *Moving) UnmapDmaBuf(t *kernel.Task, a *Attachment, sgt *SgTable, dir hw.Direction) {
	a.Dev.Unmap(t.Task, sgt.Segments)
}

// Release gives the pages back.
func (m *Moving) Release(t *kernel.Task) { hw.Give(t.Task, m.pages, "") }

// Move takes the buffer elsewhere, as an eviction does: under the reservation lock
// it notifies the importers, waits for the fences, copies the contents, and gives
// the old pages to another owner.
func (m *Moving) Move(t *kernel.Task) {
	t.At("", "dma_resv_lock()")
	m.Buf.Resv.Lock(t, nil)
	old := m.pages
	fresh := m.bus.Memory.Alloc(t.Task, m.Buf.Name, len(old))
	t.Say("", "dma_buf_move_notify()")
	m.Buf.MoveNotify(t)
	t.At("", "dma_resv_wait_timeout("+m.WaitFor.String()+")")
	m.Buf.Resv.Wait(t, m.WaitFor)
	// From here on the importers have promised not to touch the old pages.
	hw.Fence(t.Task, old)
	t.Atf("", "move: copy %s -> %s", hw.Span(old), hw.Span(fresh))
	hw.Copy(t.Task, fresh, old)
	m.pages, m.contents = fresh, fresh
	t.Atf("", "pages %s now belong to %q", hw.Span(old), m.NewOwner)
	hw.Give(t.Task, old, m.NewOwner)
	t.At("", "dma_resv_unlock()")
	m.Buf.Resv.Unlock(t)
}

// copyFence is the fence of a pipelined copy.
type copyFence struct {
	kernel.Mem
	Fence
}

// MovePipelined is Move without waiting under the lock: the copy is a job of the GPU that
// runs after the fences, and has a KERNEL fence of its own, which everybody has to wait for
// who uses the new pages (R8).
func (m *Moving) MovePipelined(t *kernel.Task) {
	f := &copyFence{}
	t.Alloc(kernel.GFP_KERNEL, &f.Mem, "copy fence")
	t.At("", "dma_resv_lock()")
	m.Buf.Resv.Lock(t, nil)
	old := m.pages
	fresh := m.bus.Memory.Alloc(t.Task, m.Buf.Name, len(old))
	t.Say("", "dma_buf_move_notify()")
	m.Buf.MoveNotify(t)
	after := m.Buf.Resv.fencesOf(t, m.WaitFor)
	// The exporter cannot do without its fence; where there is no memory for the slot, it
	// does not move at all, which is no scenario.
	m.Buf.Resv.ReserveFences(t, 1)
	m.seqno++
	f.Init(t, &f.Mem, "gpu", m.context, m.seqno)
	t.At("", "add copy fence, KERNEL")
	m.Buf.Resv.AddFence(t, &f.Fence, UsageKernel)
	m.pages = fresh
	t.Kthread("gpu copy", sim.Op{Verb: "job"}, func(t *kernel.Task) {
		for _, w := range after {
			w.Wait(t)
			w.Put(t)
		}
		hw.Fence(t.Task, old)
		t.Atf("", "copy %s -> %s", hw.Span(old), hw.Span(fresh))
		hw.Copy(t.Task, fresh, old)
		m.contents = fresh
		t.Atf("", "pages %s now belong to %q", hw.Span(old), m.NewOwner)
		hw.Give(t.Task, old, m.NewOwner)
		t.At("", "signal copy fence")
		f.Signal(t)
		f.Put(t)
	})
	t.At("", "dma_resv_unlock()")
	m.Buf.Resv.Unlock(t)
}
