package dmabufsim

import (
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// BufferObject is struct ttm_buffer_object: one buffer of a GPU, exported.
type BufferObject struct {
	Buf *DmaBuf

	gpu *GPU
	// Under the reservation lock. pages are what new mappings get; contents is where the data
	// is, which is elsewhere until a pipelined copy has run.
	place    Placement
	pages    []*hw.Page
	contents []*hw.Page
	pins     int
	swap     *Swap // where the contents are, nil if they are here; then pages are those of the swap cache
	queues   []*UserQueue
	own      []*Fence // of the driver's own jobs and queues, with a reference of each
	jobs     uint64
	context  uint64
	seqno    uint64
}

// Export makes a buffer of n pages in the given place, filled with contents of its own, and
// exports it. Nil if there is no room.
func (g *GPU) Export(t *kernel.Task, name string, n int, p Placement) *BufferObject {
	return g.exportAs(t, name, n, p, func(b *BufferObject) Ops { return b })
}

// exportAs is Export for who puts ops of its own before those of the buffer.
func (g *GPU) exportAs(t *kernel.Task, name string, n int, p Placement, ops func(*BufferObject) Ops) *BufferObject {
	pages, err := g.alloc(t, name, n, p)
	if err != kernel.OK {
		return nil
	}
	b := &BufferObject{gpu: g, place: p, pages: pages, contents: pages}
	hw.Fill(pages, name)
	b.Buf = g.bus.Export(t, name, uint64(n)*hw.PageSize, ops(b))
	b.context = b.Buf.FenceContextAlloc()
	g.lru = append(g.lru, b)
	return b
}

// Backing is where the contents of the buffer are now, for oracles.
func (b *BufferObject) Backing() []*hw.Page { return b.contents }

// Place is where the buffer is, for tests.
func (b *BufferObject) Place() Placement { return b.place }

// Attach finds out whether the importer's device can reach the GPU's memory.
func (b *BufferObject) Attach(t *kernel.Task, a *Attachment) kernel.Errno {
	v := b.gpu.vram
	if v == nil {
		return kernel.OK
	}
	if a.Peer2Peer && a.Dev.Peer(v) == hw.PeerNotSupported {
		a.Peer2Peer = false
	}
	if !a.Peer2Peer && b.gpu.Refuse {
		return kernel.EOPNOTSUPP
	}
	return kernel.OK
}

// Pin keeps the buffer where it is, and where the importer can reach it. When it returns all
// moves are over.
func (b *BufferObject) Pin(t *kernel.Task, a *Attachment) kernel.Errno {
	if err := b.reachable(t, a); err != kernel.OK {
		return err
	}
	b.pins++
	b.Buf.Resv.Wait(t, UsageKernel)
	return kernel.OK
}

// Unpin lets it move again.
func (b *BufferObject) Unpin(*kernel.Task, *Attachment) { b.pins-- }

// reachable moves the buffer to where the importer can reach it.
func (b *BufferObject) reachable(t *kernel.Task, a *Attachment) kernel.Errno {
	if b.place == VRAM && !a.Peer2Peer {
		t.Say("", "the importer cannot reach VRAM: migrate")
		return b.moveTo(t, System)
	}
	return kernel.OK
}

// MapDmaBuf maps the current backing, as few segments as it can. It may have to move the
// buffer for that; then all importers are told, the one that maps among them, and the copy may
// not have run when it returns.
func (b *BufferObject) MapDmaBuf(t *kernel.Task, a *Attachment, dir hw.Direction) (*SgTable, kernel.Errno) {
	if err := b.reachable(t, a); err != kernel.OK {
		return nil, err
	}
	if err := b.swapIn(t); err != kernel.OK {
		return nil, err
	}
	if b.gpu.MapWaits {
		t.At("", "map_dma_buf: dma_resv_wait_timeout("+b.gpu.MapWaitFor.String()+")")
		b.Buf.Resv.Wait(t, b.gpu.MapWaitFor)
	}
	return &SgTable{Segments: a.Dev.Map(t.Task, b.pages, dir), Pages: b.pages, NoPages: b.place == VRAM}, kernel.OK
}

// UnmapDmaBuf takes the mapping away from the device.
func (b *BufferObject) UnmapDmaBuf(t *kernel.Task, a *Attachment, sgt *SgTable, dir hw.Direction) {
	if b.Buf.bus.SyncsAtUnmap {
		a.Dev.Unmap(t.Task, sgt.Segments)
	} else {
		a.Dev.UnmapNoSync(t.Task, sgt.Segments)
	}
}

// Release gives the pages back; as long as there are fences, a work item does it that waits for
// all of them: a delayed delete.
func (b *BufferObject) Release(t *kernel.Task) {
	g := b.gpu
	if len(g.lru) > 1 {
		t.Touch(&g.lock, sim.Write)
	}
	for i, o := range g.lru {
		if o == b {
			g.lru = append(g.lru[:i:i], g.lru[i+1:]...)
			break
		}
	}
	// Nobody else has the buffer any more, so that the list needs no lock.
	var busy []*Fence
	t.Touch(&b.Buf.Resv.list, sim.Read)
	for i := 0; i < b.Buf.Resv.fences.count(); i++ {
		if f := b.Buf.Resv.fences.entries[i].fence; !f.isSignaled(t) {
			busy = append(busy, f.Get(t))
		}
	}
	b.forget(t)
	if len(busy) == 0 {
		b.destroy(t)
		return
	}
	w := &kernel.Work{}
	w.Init(t, nil, "ttm_bo_delayed_delete", func(t *kernel.Task) {
		for _, f := range busy {
			f.Wait(t)
			f.Put(t)
		}
		b.destroy(t)
	})
	g.deleteQueue(t).Queue(t, w)
}

// deleteQueue is that of ttm_device_init.
func (g *GPU) deleteQueue(t *kernel.Task) *kernel.Workqueue {
	if g.deletes == nil {
		g.deletes = kernel.AllocWorkqueue(t, "ttm", kernel.WQ_MEM_RECLAIM|kernel.WQ_UNBOUND, 16)
	}
	return g.deletes
}

func (b *BufferObject) destroy(t *kernel.Task) {
	hw.Give(t.Task, b.pages, "")
	if b.place == VRAM {
		b.gpu.putBack(t, b.pages)
	}
}

// Mmap lets the CPU see the buffer.
func (b *BufferObject) Mmap(t *kernel.Task, v *VMA) kernel.Errno {
	if !v.Shared {
		return kernel.EINVAL
	}
	return kernel.OK
}

// Fault waits until the buffer has arrived where it is: ttm_bo_vm_fault.
func (b *BufferObject) Fault(t *kernel.Task, page int) *hw.Page {
	b.Buf.Resv.Lock(t, nil)
	defer b.Buf.Resv.Unlock(t)
	b.Buf.Resv.Wait(t, UsageKernel)
	return b.pages[page]
}
