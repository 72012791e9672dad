package dmabufsim

import (
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// RDMA is an importer that maps on demand, as a NIC with page faults does (ib_umem_dmabuf): a
// move takes the mapping away at once, and the next transfer faults it in again. It is right, and
// stands for whoever else has imported the buffer.
type RDMA struct {
	Dev *hw.IOMMU
	// Peer says that it copes with memory of other devices.
	Peer bool
	// WaitFirst has it wait for the KERNEL fences before it maps, instead of after. That misses
	// the copy that an exporter starts in map_dma_buf.
	WaitFirst bool

	a *Attachment
	// The memory region as the NIC sees it. sgt is changed with the reservation lock held.
	obj  sim.Object
	sgt  *SgTable
	busy int
}

// NewRDMA attaches the device to the buffer.
func NewRDMA(t *kernel.Task, d *DmaBuf, dev *hw.IOMMU, peer bool) (*RDMA, kernel.Errno) {
	r := &RDMA{Dev: dev, Peer: peer}
	t.Own(&r.obj, "mr", dev.Device()+".mr")
	a, err := d.DynamicAttach(t, dev, r, nil)
	r.a = a
	return r, err
}

// AllowPeer2Peer says what it copes with.
func (r *RDMA) AllowPeer2Peer() bool { return r.Peer }

// MoveNotify takes the translations out of the NIC, which waits for transfers under way, and
// unmaps.
func (r *RDMA) MoveNotify(t *kernel.Task, a *Attachment) {
	if r.sgt == nil {
		return
	}
	t.At("", "zap the memory region")
	sgt := r.sgt
	t.Step(sim.Op{Verb: "zap", Obj: &r.obj})
	r.sgt = nil
	t.Step(sim.Op{Verb: "zap done", Obj: &r.obj, Guard: (*quiet)(r)})
	a.Unmap(t, sgt, hw.Bidirectional)
}

// quiet is ready when no transfer is under way.
type quiet RDMA

func (q *quiet) Ready(*sim.Task) bool { return q.busy == 0 }

// MapPages is ib_umem_dmabuf_map_pages, as the handler of a page fault calls it.
func (r *RDMA) MapPages(t *kernel.Task) kernel.Errno {
	resv := &r.a.Buf.Resv
	resv.Lock(t, nil)
	defer resv.Unlock(t)
	if r.sgt != nil {
		return kernel.OK
	}
	if r.WaitFirst {
		resv.Wait(t, UsageKernel)
	}
	sgt, err := r.a.Map(t, hw.Bidirectional)
	if err != kernel.OK {
		return err
	}
	if !r.WaitFirst { // the table is good now, the contents may still be on their way
		resv.Wait(t, UsageKernel)
	}
	t.Step(sim.Op{Verb: "update translations", Obj: &r.obj})
	r.sgt = sgt
	return kernel.OK
}

// Transfer lets the NIC access the buffer: one page from the given one on, ToDevice to read it.
func (r *RDMA) Transfer(t *kernel.Task, dir hw.Direction, page int, data hw.Data) (hw.Data, kernel.Errno) {
	for {
		t.Step(sim.Op{Verb: "rdma start", Obj: &r.obj})
		if r.sgt != nil {
			break
		}
		t.Did(sim.Read)
		if err := r.MapPages(t); err != kernel.OK {
			return nil, err
		}
	}
	r.busy++
	out := r.Dev.DMA(t.Task, dir, pageOf(r.sgt, page), data)
	t.Step(sim.Op{Verb: "rdma end", Obj: &r.obj})
	r.busy--
	return out, kernel.OK
}

// pageOf is where a page of the buffer is, in a table of any shape.
func pageOf(sgt *SgTable, page int) (out []hw.Segment) {
	from, to := page*hw.PageSize, (page+1)*hw.PageSize
	at := 0
	for _, s := range sgt.Segments {
		if lo, hi := max(from, at), min(to, at+s.Len); lo < hi {
			out = append(out, hw.Segment{Addr: s.Addr + hw.BusAddr(lo-at), Len: hi - lo})
		}
		at += s.Len
	}
	return out
}

// Close unmaps and detaches.
func (r *RDMA) Close(t *kernel.Task) {
	r.a.Buf.Resv.Lock(t, nil)
	r.MoveNotify(t, r.a)
	r.a.Buf.Resv.Unlock(t)
	r.a.Buf.Detach(t, r.a)
}
