package nvmesim

import (
	"dmasim/dmabufsim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// InitDmaToken attaches the controller's device to the dma-buf: ENODEV if the driver has been taken from
// the device meanwhile, and notices.
func (d *Driver) InitDmaToken(t *kernel.Task, r *token.Reg) kernel.Errno {
	if r.DmaBuf.Size%CtrlPageSize != 0 {
		t.Mark("TOK-6 odd size")
		return kernel.EINVAL
	}
	a, err := r.DmaBuf.DynamicAttach(t, d.ctrl.IOMMU, d, r)
	if err != kernel.OK {
		t.Mark("TOK-6 not attached")
		return err
	}
	r.Private = a
	if !d.attached(t, r) {
		r.DmaBuf.Detach(t, a)
		r.Private = nil
		return kernel.ENODEV
	}
	return kernel.OK
}

// AllowPeer2Peer is allow_peer2peer of the importer ops.
func (d *Driver) AllowPeer2Peer() bool { return true }

// CleanDmaToken detaches.
func (d *Driver) CleanDmaToken(t *kernel.Task, r *token.Reg) { d.detach(t, r) }

// MoveNotify is the importer's move_notify: it invalidates the token.
func (d *Driver) MoveNotify(t *kernel.Task, a *dmabufsim.Attachment) {
	a.Priv.(*token.Reg).Token.Invalidate(t)
}

// Array is what the driver keeps of a map: the bus address of every page of the controller.
type Array struct {
	kernel.Mem
	Pages []hw.BusAddr
}

// arrayOf is the array of a map, which is there.
func arrayOf(t *kernel.Task, m *token.Map) []hw.BusAddr {
	a := m.Private.Get(t).(*Array)
	t.Check(&a.Mem)
	return a.Pages
}

// DmaMap maps the attachment and notes the bus address of every page.
func (d *Driver) DmaMap(t *kernel.Task, r *token.Reg, m *token.Map) kernel.Errno {
	a := &Array{}
	if err := t.Alloc(kernel.GFP_KERNEL, &a.Mem, "nvme dma array"); err != kernel.OK {
		t.Mark("CREATE-6 no array")
		return err
	}
	if r.Gone {
		t.Free(&a.Mem)
		return kernel.ENODEV
	}
	a.Pages = make([]hw.BusAddr, r.DmaBuf.Size/CtrlPageSize)
	sgt, err := r.Private.Map(t, r.Dir)
	if err != kernel.OK {
		t.Mark("CREATE-6 not mapped")
		t.Free(&a.Mem)
		return err
	}
	if token.Repaired(t, token.FixCheckLayout) && !pages(sgt, len(a.Pages)) {
		t.Free(&a.Mem)
		r.Private.Unmap(t, sgt, r.Dir)
		return kernel.EINVAL
	}
	m.Sgt.Set(t, sgt)
	i := 0
	for _, s := range sgt.Segments {
		at := s.Addr
		// As posted: the length is unsigned, and the index is not compared with the
		// size of the array.
		for l := uint64(s.Len); l != 0; l -= CtrlPageSize {
			if i == len(a.Pages) {
				t.BUG("nvme dma_map writes past the end of its array of %d addresses", len(a.Pages))
			}
			a.Pages[i] = at
			i++
			at += CtrlPageSize
		}
	}
	m.Private.Set(t, a)
	d.mapped(t, 1)
	return kernel.OK
}

// pages tells whether a table is n pages of the controller.
func pages(sgt *dmabufsim.SgTable, n int) bool {
	left := uint64(n) * CtrlPageSize
	for _, s := range sgt.Segments {
		l := uint64(s.Len)
		if uint64(s.Addr)%CtrlPageSize != 0 || l%CtrlPageSize != 0 || l > left {
			return false
		}
		left -= l
	}
	return left == 0
}

// DmaUnmap unmaps the attachment.
func (d *Driver) DmaUnmap(t *kernel.Task, r *token.Reg, m *token.Map, held bool) {
	if held {
		r.Private.Unmap(t, m.Sgt.Get(t), r.Dir)
	} else {
		r.Private.UnmapUnlocked(t, m.Sgt.Get(t), r.Dir)
	}
	m.Sgt.Set(t, nil)
	t.Free(&m.Private.Get(t).(*Array).Mem)
	m.Private.Set(t, nil)
	d.mapped(t, -1)
}
