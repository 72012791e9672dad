package dmabufsim

import (
	"fmt"

	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// Bus is what the buffers of a run share: memory, and the counter of fence
// contexts.
type Bus struct {
	Memory  *hw.Memory
	fences  *fenceCore
	buffers []*DmaBuf
}

// NewBus returns an empty system and registers its auditor: at the end of a run no
// buffer or reservation lock may be held.
func NewBus(t *kernel.Task) *Bus {
	b := &Bus{Memory: &hw.Memory{}, fences: fenceSystem(t)}
	t.Machine().Audit(b.audit)
	return b
}

// Ops is struct dma_buf_ops: what an exporter does.
type Ops interface {
	// MapDmaBuf gives a table of the buffer's pages, mapped for the attachment's
	// device. The reservation lock is held.
	MapDmaBuf(t *kernel.Task, a *Attachment, dir hw.Direction) (*SgTable, kernel.Errno)
	// UnmapDmaBuf takes the table back. The reservation lock is held.
	UnmapDmaBuf(t *kernel.Task, a *Attachment, sgt *SgTable, dir hw.Direction)
	// Release is called when the last reference has gone.
	Release(t *kernel.Task)
}

// ImporterOps is struct dma_buf_attach_ops.
type ImporterOps interface {
	// MoveNotify tells the importer that its mappings are about to become invalid.
	// The reservation lock is held.
	MoveNotify(t *kernel.Task, a *Attachment)
}

// DmaBuf is struct dma_buf.
type DmaBuf struct {
	Name string
	// Size in bytes; never changes.
	Size uint64
	Resv Resv

	bus         *Bus
	ops         Ops
	refs        sim.Object
	count       int
	attachments []*Attachment
	released    bool
}

// Attachment is struct dma_buf_attachment: one importing device.
type Attachment struct {
	kernel.Mem
	Buf *DmaBuf
	// Dev is the device that the importer maps for.
	Dev *hw.IOMMU
	// Importer is importer_ops; Priv is importer_priv.
	Importer ImporterOps
	Priv     any

	maps int
}

// SgTable is struct sg_table: what a device can use to reach the buffer. Segments are
// in the order of the buffer.
type SgTable struct {
	Segments []hw.Segment
	// Pages are behind the segments; importers do not touch them.
	Pages []*hw.Page
}

func (s *SgTable) String() string { return hw.Span(s.Pages) }

// Export is dma_buf_export: a new buffer with one reference.
func (b *Bus) Export(t *kernel.Task, name string, size uint64, ops Ops) *DmaBuf {
	d := &DmaBuf{Name: name, Size: size, bus: b, ops: ops, count: 1}
	d.Resv.Init(t, "dma_resv")
	t.Own(&d.refs, "file", name+".file")
	b.buffers = append(b.buffers, d)
	return d
}

// FenceContextAlloc is dma_fence_context_alloc(1): a new timeline.
func (d *DmaBuf) FenceContextAlloc() uint64 {
	return d.bus.fences.alloc(1)
}

// Get is get_dma_buf: the caller has a reference already, or an fd.
func (d *DmaBuf) Get(t *kernel.Task) *DmaBuf {
	t.Touch(&d.refs, kernel.RefcountGet)
	if d.count <= 0 {
		t.Fail(kernel.UseAfterFree, "reference taken on dma-buf %q, which has none left (%s)", d.Name, t.Task)
	}
	d.count++
	return d
}

// Put is dma_buf_put. After the last one the buffer is released, later.
func (d *DmaBuf) Put(t *kernel.Task) {
	t.Step(sim.Op{Verb: "fput", Obj: &d.refs})
	if d.count <= 0 {
		t.Fail(kernel.RefcountMisuse, "dma_buf_put of %q without a reference (%s)", d.Name, t.Task)
	}
	d.count--
	if d.count == 0 {
		t.Kthread("delayed_fput", sim.Op{Verb: "release", Obj: &d.refs}, d.release)
	}
}

func (d *DmaBuf) release(t *kernel.Task) {
	if n := len(d.attachments); n > 0 {
		t.Fail(kernel.Leak, "dma-buf %q is released with %d attachment(s)", d.Name, n)
	}
	d.ops.Release(t)
	d.Resv.fini(t)
	d.released = true
}

// DynamicAttach is dma_buf_dynamic_attach. It takes the reservation lock.
func (d *DmaBuf) DynamicAttach(t *kernel.Task, dev *hw.IOMMU, ops ImporterOps, priv any) (*Attachment, kernel.Errno) {
	t.Touch(&d.refs, sim.Read)
	if d.released {
		t.Fail(kernel.UseAfterFree, "dma_buf_dynamic_attach to %q, which was released (%s)", d.Name, t.Task)
	}
	a := &Attachment{Buf: d, Dev: dev, Importer: ops, Priv: priv}
	if err := t.Alloc(kernel.GFP_KERNEL, &a.Mem, "dma_buf_attachment"); err != kernel.OK {
		return nil, err
	}
	d.Resv.Lock(t, nil)
	d.attachments = append(d.attachments, a)
	d.Resv.Unlock(t)
	return a, kernel.OK
}

// Detach is dma_buf_detach. It takes the reservation lock.
func (d *DmaBuf) Detach(t *kernel.Task, a *Attachment) {
	t.Use(&a.Mem)
	d.Resv.Lock(t, nil)
	if a.maps > 0 {
		t.Fail(kernel.Leak, "dma_buf_detach of %q with %d live mapping(s) (%s)", d.Name, a.maps, t.Task)
	}
	for i, b := range d.attachments {
		if a == b {
			d.attachments = append(d.attachments[:i], d.attachments[i+1:]...)
			break
		}
	}
	d.Resv.Unlock(t)
	t.Free(&a.Mem)
}

// Map is dma_buf_map_attachment: the reservation lock is held. A dynamic importer
// waits for the fences itself.
func (a *Attachment) Map(t *kernel.Task, dir hw.Direction) (*SgTable, kernel.Errno) {
	t.MightSleep("dma_buf_map_attachment", "")
	t.Use(&a.Mem)
	a.Buf.Resv.AssertHeld(t, "dma_buf_map_attachment")
	sgt, err := a.Buf.ops.MapDmaBuf(t, a, dir)
	if err == kernel.OK {
		a.maps++
	}
	return sgt, err
}

// Unmap is dma_buf_unmap_attachment: the reservation lock is held.
func (a *Attachment) Unmap(t *kernel.Task, sgt *SgTable, dir hw.Direction) {
	t.MightSleep("dma_buf_unmap_attachment", "")
	t.Use(&a.Mem)
	a.Buf.Resv.AssertHeld(t, "dma_buf_unmap_attachment")
	if a.maps == 0 {
		t.Fail(kernel.DoubleFree, "dma_buf_unmap_attachment of %q, which is not mapped (%s)", a.Buf.Name, t.Task)
	}
	a.maps--
	a.Buf.ops.UnmapDmaBuf(t, a, sgt, dir)
}

// UnmapUnlocked is dma_buf_unmap_attachment_unlocked: takes the reservation lock
// itself.
func (a *Attachment) UnmapUnlocked(t *kernel.Task, sgt *SgTable, dir hw.Direction) {
	a.Buf.Resv.Lock(t, nil)
	a.Unmap(t, sgt, dir)
	a.Buf.Resv.Unlock(t)
}

// MoveNotify is dma_buf_move_notify, dma_buf_invalidate_mappings in newer kernels:
// tells every importer, in order of attachment. The reservation lock is held.
func (d *DmaBuf) MoveNotify(t *kernel.Task) {
	d.Resv.AssertHeld(t, "dma_buf_move_notify")
	for _, a := range d.attachments {
		if a.Importer != nil {
			a.Importer.MoveNotify(t, a)
		}
	}
}

func (b *Bus) audit() *sim.Failure {
	for _, d := range b.buffers {
		if d.Resv.lock.Locked() {
			return &sim.Failure{Kind: kernel.Leak, Message: fmt.Sprintf("the reservation lock of %q is still held", d.Name)}
		}
		if !d.released {
			return &sim.Failure{Kind: kernel.Leak, Message: fmt.Sprintf("dma-buf %q was never released; %d reference(s) are left", d.Name, d.count)}
		}
	}
	return nil
}
