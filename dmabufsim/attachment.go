package dmabufsim

import (
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// ImporterOps is struct dma_buf_attach_ops. An importer that has it is a dynamic one, also
// if it is [Deaf].
type ImporterOps interface {
	// MoveNotify tells the importer that its mappings are about to become invalid:
	// move_notify, invalidate_mappings in newer kernels. The reservation lock is held.
	//
	// What the importer owes then has two stages. Until the fences that it has added have
	// signalled it may use the old mapping. From then on until it unmaps, which has to be
	// soon, the device may at most read ahead and throw away what it read.
	MoveNotify(t *kernel.Task, a *Attachment)
}

// PeerImporter is allow_peer2peer: an importer that copes with memory of other devices, and
// so with tables that have no pages.
type PeerImporter interface {
	AllowPeer2Peer() bool
}

// Deaf is importer ops without the callback: a dynamic importer that cannot be told of a
// move. Up to 6.12 there are none.
type Deaf struct{}

// MoveNotify is never called.
func (Deaf) MoveNotify(*kernel.Task, *Attachment) {}

// Attachment is struct dma_buf_attachment: one importing device.
type Attachment struct {
	kernel.Mem
	Buf *DmaBuf
	// Dev is the device that the importer maps for.
	Dev *hw.IOMMU
	// Importer is importer_ops, nil for a static importer; Priv is importer_priv.
	Importer ImporterOps
	Priv     any
	// Peer2Peer is peer2peer: memory of another device may be mapped for this one. The
	// exporter's attach op clears it where there is no way.
	//
	//dmasim:private set before others can find the attachment
	Peer2Peer bool

	// tables are those that were handed out.
	//
	//dmasim:private for reports; under the reservation lock, as every call asserts
	tables []mapped
	// Under the reservation lock. cached is the one table of the attachment in a kernel that
	// keeps it.
	pins      kernel.Field[int]
	cached    kernel.Field[*SgTable]
	cachedDir kernel.Field[hw.Direction]
	// telling is who is telling the importer of a move at the moment.
	//
	//dmasim:private for reports
	telling *kernel.Task
}

// Dynamic is dma_buf_attachment_is_dynamic.
func (a *Attachment) Dynamic() bool { return a.Importer != nil }

// hears tells whether the attachment is told of moves.
func (a *Attachment) hears() bool {
	_, deaf := a.Importer.(Deaf)
	return a.Importer != nil && !deaf
}

// Attach is dma_buf_attach: a static importer, which is told of nothing and for which the
// buffer stays where it is while it is mapped.
func (d *DmaBuf) Attach(t *kernel.Task, dev *hw.IOMMU) (*Attachment, kernel.Errno) {
	return d.DynamicAttach(t, dev, nil, nil)
}

// DynamicAttach is dma_buf_dynamic_attach. It takes the reservation lock.
func (d *DmaBuf) DynamicAttach(t *kernel.Task, dev *hw.IOMMU, ops ImporterOps, priv any) (*Attachment, kernel.Errno) {
	if d.file.Released(t) {
		t.Fail(kernel.UseAfterFree, "dma_buf_dynamic_attach to %q, which was released (%s)", d.Name, t.Task)
	}
	a := &Attachment{Buf: d, Dev: dev, Importer: ops, Priv: priv}
	if dev == nil || ops != nil && !a.hears() && t.K.Profile == kernel.V6_12 {
		t.Warn("dma_buf_dynamic_attach: no device, or no move_notify")
		return nil, kernel.EINVAL
	}
	if err := t.Alloc(kernel.GFP_KERNEL, &a.Mem, "dma_buf_attachment"); err != kernel.OK {
		return nil, err
	}
	a.pins.Init(t, &a.Mem, "attach.pins", 0)
	a.cached.Init(t, &a.Mem, "attach.sgt", nil)
	a.cachedDir.Init(t, &a.Mem, "attach.dir", 0)
	if p, ok := ops.(PeerImporter); ok {
		a.Peer2Peer = p.AllowPeer2Peer()
	}
	if op, ok := d.ops.(Attacher); ok {
		if err := op.Attach(t, a); err != kernel.OK {
			t.Free(&a.Mem)
			return nil, err
		}
	}
	d.Resv.Lock(t, nil)
	d.attachments = append(d.attachments, a)
	d.Resv.Unlock(t)
	d.Resv.system.watch(t, a)
	if t.K.Profile == kernel.V6_12 && a.Dynamic() != d.Dynamic() {
		if err := a.mapAtAttach(t); err != kernel.OK {
			d.Detach(t, a)
			return nil, err
		}
	}
	return a, kernel.OK
}

// mapAtAttach is what 6.12 does where one side is dynamic and the other is not: it pins and
// maps once and for all.
func (a *Attachment) mapAtAttach(t *kernel.Task) kernel.Errno {
	d := a.Buf
	d.Resv.Lock(t, nil)
	defer d.Resv.Unlock(t)
	pins := d.Dynamic()
	if pins {
		if err := a.pin(t); err != kernel.OK {
			return err
		}
	}
	sgt, err := a.mapWait(t, hw.Bidirectional)
	if err != kernel.OK {
		if pins {
			a.unpin(t)
		}
		return err
	}
	a.keep(t, sgt, hw.Bidirectional)
	return kernel.OK
}

// keep has the attachment keep the table.
func (a *Attachment) keep(t *kernel.Task, sgt *SgTable, dir hw.Direction) {
	a.cached.Set(t, sgt)
	a.cachedDir.Set(t, dir)
}

// Detach is dma_buf_detach. It takes the reservation lock.
func (d *DmaBuf) Detach(t *kernel.Task, a *Attachment) {
	t.Use(&a.Mem)
	d.Resv.Lock(t, nil)
	if len(a.tables) > 0 {
		t.Fail(kernel.Leak, "dma_buf_detach of %q with %d live mapping(s) (%s)", d.Name, len(a.tables), t.Task)
	}
	if sgt := a.cached.Get(t); sgt != nil {
		d.ops.UnmapDmaBuf(t, a, sgt, a.cachedDir.Get(t))
		a.cached.Set(t, nil)
		if d.Dynamic() && !a.Dynamic() {
			a.unpin(t)
		}
	}
	if n := a.pins.Get(t); n > 0 {
		t.Fail(kernel.Leak, "dma_buf_detach of %q, which is pinned %d time(s) (%s)", d.Name, n, t.Task)
	}
	for i, b := range d.attachments {
		if a == b {
			d.attachments = append(d.attachments[:i], d.attachments[i+1:]...)
			break
		}
	}
	d.Resv.Unlock(t)
	d.Resv.system.unwatch(a)
	if op, ok := d.ops.(Detacher); ok {
		op.Detach(t, a)
	}
	t.Free(&a.Mem)
}

// Pin is dma_buf_pin, for dynamic importers: the buffer stays where it is until Unpin. The
// reservation lock is held.
func (a *Attachment) Pin(t *kernel.Task) kernel.Errno {
	t.MightSleep("dma_buf_pin", "")
	t.Use(&a.Mem)
	if !a.Dynamic() {
		t.Warn("dma_buf_pin by a static importer")
	}
	a.Buf.Resv.AssertHeld(t, "dma_buf_pin")
	return a.pin(t)
}

func (a *Attachment) pin(t *kernel.Task) kernel.Errno {
	op, ok := a.Buf.ops.(Pinner)
	if !ok {
		return kernel.OK
	}
	err := op.Pin(t, a)
	if err == kernel.OK {
		a.pins.Set(t, a.pins.Get(t)+1)
	}
	return err
}

// Unpin is dma_buf_unpin. The reservation lock is held.
func (a *Attachment) Unpin(t *kernel.Task) {
	t.Use(&a.Mem)
	if !a.Dynamic() {
		t.Warn("dma_buf_unpin by a static importer")
	}
	a.Buf.Resv.AssertHeld(t, "dma_buf_unpin")
	a.unpin(t)
}

func (a *Attachment) unpin(t *kernel.Task) {
	op, ok := a.Buf.ops.(Unpinner)
	if !ok {
		return
	}
	n := a.pins.Get(t)
	if n == 0 {
		t.Fail(kernel.RefcountMisuse, "dma_buf_unpin of %q, which is not pinned (%s)", a.Buf.Name, t.Task)
	}
	a.pins.Set(t, n-1)
	op.Unpin(t, a)
}

// MoveNotify is dma_buf_move_notify, dma_buf_invalidate_mappings in newer kernels:
// tells every importer that can be told, in order of attachment. The reservation lock is
// held, and stays held.
func (d *DmaBuf) MoveNotify(t *kernel.Task) {
	d.Resv.AssertHeld(t, "dma_buf_move_notify")
	for _, a := range d.attachments {
		if !a.hears() {
			continue
		}
		for i := range a.tables {
			a.tables[i].tell(t)
		}
		a.telling = t
		a.Importer.MoveNotify(t, a)
		a.telling = nil
		a.owes()
		d.Resv.AssertHeld(t, "return from move_notify")
	}
}
