package dmabufsim

import (
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// Revoking is an exporter of a device's memory that can take it away for good, as vfio does when
// the device is reset. It takes only importers that can be told, and waits for both stages: for
// their fences, and then for their unmaps.
type Revoking struct {
	Buf *DmaBuf
	// SkipUnmaps leaves the second wait out, which is wrong.
	SkipUnmaps bool

	region *hw.Region
	// Under the reservation lock. users is one for the exporter, and one for each mapping.
	revoked kernel.Field[bool]
	users   kernel.Shared[int]
}

// NewRevoking exports n pages of memory of the device.
func NewRevoking(t *kernel.Task, b *Bus, device string, n int) *Revoking {
	r := &Revoking{region: b.Memory.NewBAR(t.Task, device, n)}
	hw.Fill(r.region.Pages, device)
	r.revoked.Init(t, nil, device+".revoked", false)
	r.users.Init(t, nil, device+".users", 1)
	r.Buf = b.Export(t, device, uint64(n)*hw.PageSize, r)
	return r
}

// Backing is the memory, for oracles.
func (r *Revoking) Backing() []*hw.Page { return r.region.Pages }

// Region is the memory, for who says how other devices reach it.
func (r *Revoking) Region() *hw.Region { return r.region }

// Attach refuses who cannot reach the memory, and who cannot be told:
// dma_buf_attach_revocable.
func (r *Revoking) Attach(t *kernel.Task, a *Attachment) kernel.Errno {
	if !a.Peer2Peer || !a.hears() || a.Dev.Peer(r.region) == hw.PeerNotSupported {
		return kernel.EOPNOTSUPP
	}
	return kernel.OK
}

// Pin always succeeds: the memory cannot move. It does not keep it from being revoked.
func (r *Revoking) Pin(*kernel.Task, *Attachment) kernel.Errno { return kernel.OK }

// Unpin does nothing.
func (r *Revoking) Unpin(*kernel.Task, *Attachment) {}

// MapDmaBuf maps the memory, while there is any.
func (r *Revoking) MapDmaBuf(t *kernel.Task, a *Attachment, dir hw.Direction) (*SgTable, kernel.Errno) {
	if r.revoked.Get(t) {
		return nil, kernel.ENODEV
	}
	r.users.Update(t, func(n int) int { return n + 1 })
	return &SgTable{Segments: a.Dev.Map(t.Task, r.region.Pages, dir), Pages: r.region.Pages, NoPages: true}, kernel.OK
}

// UnmapDmaBuf drops the mapping's share.
func (r *Revoking) UnmapDmaBuf(t *kernel.Task, a *Attachment, sgt *SgTable, dir hw.Direction) {
	a.Dev.UnmapNoSync(t.Task, sgt.Segments)
	r.users.Update(t, func(n int) int { return n - 1 })
}

// Release has nothing to give back: the memory is the device's.
func (r *Revoking) Release(*kernel.Task) {}

// Revoke takes the memory away. When it returns no importer can reach it.
func (r *Revoking) Revoke(t *kernel.Task) {
	resv := &r.Buf.Resv
	resv.Lock(t, nil)
	r.revoked.Set(t, true)
	r.Buf.MoveNotify(t)
	resv.Wait(t, UsageBookkeep)
	resv.Unlock(t)
	r.users.Update(t, func(n int) int { return n - 1 })
	if !r.SkipUnmaps {
		r.users.Await(t, "wait for unmaps", func(n int) bool { return n == 0 })
	}
	hw.Give(t.Task, r.region.Pages, "another guest")
	if n := r.users.Load(t); n > 0 {
		t.Fail(kernel.Leak, "the memory of %q is given away while %d mapping(s) of it are left (%s)", r.Buf.Name, n, t.Task)
	}
}

// Restore makes the memory mappable again. It comes back with contents as at first.
func (r *Revoking) Restore(t *kernel.Task) {
	r.Buf.Resv.Lock(t, nil)
	hw.Give(t.Task, r.region.Pages, r.Buf.Name)
	r.revoked.Set(t, false)
	r.users.Update(t, func(n int) int { return n + 1 })
	r.Buf.Resv.Unlock(t)
}

// PinningAtAttach is a driver that keeps a buffer where it is for as long as anybody is attached,
// and is a static exporter for it (i915). The attach op migrates: no importer ever hears of a
// move.
type PinningAtAttach struct{ *BufferObject }

// NewPinningAtAttach exports a buffer of n pages of the GPU.
func NewPinningAtAttach(t *kernel.Task, g *GPU, name string, n int, p Placement) *PinningAtAttach {
	e := &PinningAtAttach{}
	g.exportAs(t, name, n, p, func(o *BufferObject) Ops {
		e.BufferObject = o
		return staticOps{e}
	})
	return e
}

// staticOps hides that the buffer could be pinned by the core.
type staticOps struct{ e *PinningAtAttach }

// Attach migrates to where everybody can reach the buffer, and waits until it has arrived.
func (s staticOps) Attach(t *kernel.Task, a *Attachment) kernel.Errno {
	b := s.e.BufferObject
	b.Buf.Resv.Lock(t, nil)
	defer b.Buf.Resv.Unlock(t)
	if b.place != System {
		if err := b.moveTo(t, System); err != kernel.OK {
			return err
		}
	}
	b.Buf.Resv.Wait(t, UsageKernel)
	b.pins++
	return kernel.OK
}

// Detach lets the buffer move again.
func (s staticOps) Detach(t *kernel.Task, a *Attachment) {
	b := s.e.BufferObject
	b.Buf.Resv.Lock(t, nil)
	b.pins--
	b.Buf.Resv.Unlock(t)
}

func (s staticOps) MapDmaBuf(t *kernel.Task, a *Attachment, dir hw.Direction) (*SgTable, kernel.Errno) {
	b := s.e.BufferObject
	return &SgTable{Segments: a.Dev.Map(t.Task, b.pages, dir), Pages: b.pages}, kernel.OK
}

func (s staticOps) UnmapDmaBuf(t *kernel.Task, a *Attachment, sgt *SgTable, dir hw.Direction) {
	s.e.BufferObject.UnmapDmaBuf(t, a, sgt, dir)
}

func (s staticOps) Release(t *kernel.Task) { s.e.BufferObject.Release(t) }
