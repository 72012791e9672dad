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
		return kernel.EINVAL
	}
	a, err := r.DmaBuf.DynamicAttach(t, d.ctrl.IOMMU, d, r)
	if err != kernel.OK {
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

// DmaMap maps the attachment and notes the bus address of every page.
func (d *Driver) DmaMap(t *kernel.Task, r *token.Reg, m *token.Map) kernel.Errno {
	if err := t.MayFail(kernel.GFP_KERNEL, "nvme dma array"); err != kernel.OK {
		return err
	}
	if r.Gone {
		return kernel.ENODEV
	}
	array := make([]hw.BusAddr, r.DmaBuf.Size/CtrlPageSize)
	sgt, err := r.Private.Map(t, r.Dir)
	if err != kernel.OK {
		return err
	}
	if token.Repaired(t, token.FixCheckLayout) && !pages(sgt, len(array)) {
		r.Private.Unmap(t, sgt, r.Dir)
		return kernel.EINVAL
	}
	m.Sgt.Set(t, sgt)
	i := 0
	for _, s := range sgt.Segments {
		a := s.Addr
		// As posted: the length is unsigned, and the index is not compared with the
		// size of the array.
		for l := uint64(s.Len); l != 0; l -= CtrlPageSize {
			if i == len(array) {
				t.BUG("nvme dma_map writes past the end of its array of %d addresses", len(array))
			}
			array[i] = a
			i++
			a += CtrlPageSize
		}
	}
	m.Private.Set(t, array)
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
	m.Private.Set(t, nil)
	d.mapped(t, -1)
}
