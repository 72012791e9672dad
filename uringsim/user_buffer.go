package uringsim

import (
	"dmasim/iter"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// folioShift is PAGE_SHIFT: folios are pages here.
const folioShift = 12

// newUserBuffer is io_sqe_buffer_register: pins a range of user memory, for writing and for
// long. No node stands for an empty slot.
func (r *Ring) newUserBuffer(t *kernel.Task, e *RegBuffer) (*node, kernel.Errno) {
	if e.Iovec == nil {
		return nil, kernel.EFAULT
	}
	v := *e.Iovec
	if err := validateBuffer(t, v); err != kernel.OK || v.Base == 0 {
		return nil, err
	}
	n, err := r.newNode(t)
	if err != kernel.OK {
		return nil, err
	}
	pages, err := r.pin(t, v)
	if err != kernel.OK {
		t.Free(&n.Mem)
		return nil, err
	}
	m, err := r.allocImu(t, len(pages))
	pinned := int64(0)
	if err == kernel.OK {
		pinned = r.pinnedPages(t, pages)
		if err = r.User.account(t, pinned); err != kernel.OK {
			r.freeImu(m)
		}
	}
	if err != kernel.OK {
		r.Mm.Unpin(t, pages...)
		t.Free(&n.Mem)
		return nil, err
	}
	m.ubuf, m.length, m.folioShift, m.refs = v.Base, v.Len, folioShift, 1
	m.acctPages = 0
	if r.User != nil {
		m.acctPages = pinned
	}
	m.toMemory, m.fromMemory, m.dma, m.kbuf = true, true, nil, false
	m.mm, m.pages = r.Mm, pages
	m.bvecs, m.nrBvecs = make([]iter.Bvec, len(pages)), len(pages)
	off := v.Base % hw.PageSize
	for i, left := 0, v.Len; left > 0; i++ {
		k := min(left, hw.PageSize-off)
		m.bvecs[i] = iter.Bvec{Pages: pages[i : i+1], Offset: uint32(off), Len: uint32(k)}
		left, off = left-k, 0
	}
	m.release = m.releaseUser
	n.imu = m
	return n, kernel.OK
}

// pinnedPages is what pages count for against the limit (io_buffer_account_pin): a compound page
// in full, unless it counts already.
func (r *Ring) pinnedPages(t *kernel.Task, pages []*hw.Page) (n int64) {
	counted := map[*hw.Folio]bool{}
	for _, p := range pages {
		switch {
		case p.Folio == nil:
			n++
		case counted[p.Folio]:
		default:
			if counted[p.Folio] = true; !r.registered(t, p.Folio) {
				n += int64(p.Folio.Pages)
			}
		}
	}
	return n
}

// registered is headpage_already_acct (REG-8): looks for a compound page in the vectors of every
// buffer of the table. As posted that of a dma-buf is said to have one, which was never written.
func (r *Ring) registered(t *kernel.Task, f *hw.Folio) bool {
	for _, n := range r.buffers.nodes {
		if n == nil || n.imu == nil {
			continue
		}
		if n.imu.dma != nil {
			if t.Mark("REG-8 compound"); n.imu.nrBvecs > 0 {
				t.Stress("REG-8", "look for a compound page in the vectors of a dma-buf")
			}
		}
		for i := range n.imu.nrBvecs {
			if i >= len(n.imu.bvecs) {
				t.BUG("NULL pointer dereference in headpage_already_acct: vector %d of a registered buffer that has %d", i, len(n.imu.bvecs))
			}
			for _, p := range n.imu.bvecs[i].Pages {
				if p.Folio == f {
					return true
				}
			}
		}
	}
	return false
}

// releaseUser is io_release_ubuf.
func (m *imu) releaseUser(t *kernel.Task) {
	m.mm.Unpin(t, m.pages...)
	m.pages = nil
}

// validateBuffer is io_buffer_validate.
func validateBuffer(t *kernel.Task, v iter.Iovec) kernel.Errno {
	limit, over := uint64(1<<30), kernel.EFAULT
	if t.K.Profile == kernel.V7_3 {
		limit, over = 1<<40, kernel.EINVAL
	}
	switch {
	case v.Base == 0 && v.Len == 0:
		return kernel.OK
	case v.Base == 0, v.Len == 0:
		return kernel.EFAULT
	case v.Len > limit:
		return over
	case v.Base+v.Len+hw.PageSize < v.Base:
		return kernel.EOVERFLOW
	}
	return kernel.OK
}

// pin is io_pin_pages: all pages of the range, or none.
func (r *Ring) pin(t *kernel.Task, v iter.Iovec) ([]*hw.Page, kernel.Errno) {
	if r.Mm == nil {
		return nil, kernel.EFAULT
	}
	if err := t.MayFail(kernel.GFP_KERNEL, "pages"); err != kernel.OK {
		return nil, err
	}
	i := iter.Ubuf(t, hw.FromDevice, r.Mm, v.Base, v.Len)
	pages, _, n := i.ExtractPages(t, v.Len, int(v.Len/hw.PageSize)+2, 0)
	switch {
	case n < 0:
		return nil, kernel.Errno(-n)
	case uint64(n) < v.Len:
		r.Mm.Unpin(t, pages...)
		return nil, kernel.EFAULT
	}
	return pages, kernel.OK
}

// RegisterBvec is io_buffer_register_bvec: a driver puts memory of the kernel into a slot,
// for one direction or both. release is called when its last user is gone.
func (r *Ring) RegisterBvec(t *kernel.Task, slot int, v []iter.Bvec, toMemory, fromMemory bool, release func(*kernel.Task)) kernel.Errno {
	r.lock(t)
	defer r.unlock(t)
	if slot < 0 || slot >= len(r.buffers.nodes) {
		return kernel.EINVAL
	}
	if r.buffers.nodes[slot] != nil {
		return kernel.EBUSY
	}
	n, err := r.newNode(t)
	if err != kernel.OK {
		return err
	}
	m, err := r.allocImu(t, len(v))
	if err != kernel.OK {
		t.Free(&n.Mem)
		return err
	}
	m.ubuf, m.length, m.acctPages, m.folioShift, m.refs = 0, 0, 0, folioShift, 1
	for _, b := range v {
		m.length += uint64(b.Len)
	}
	m.nrBvecs = len(v)
	m.bvecs, m.toMemory, m.fromMemory, m.dma, m.kbuf, m.release = v, toMemory, fromMemory, nil, true, release
	n.imu = m
	r.buffers.nodes[slot] = n
	return kernel.OK
}

// UnregisterBvec is io_buffer_unregister_bvec.
func (r *Ring) UnregisterBvec(t *kernel.Task, slot int) kernel.Errno {
	r.lock(t)
	defer r.unlock(t)
	if slot < 0 || slot >= len(r.buffers.nodes) || r.buffers.nodes[slot] == nil {
		return kernel.EINVAL
	}
	if !r.buffers.nodes[slot].imu.kbuf {
		return kernel.EBUSY
	}
	r.reset(t, &r.buffers, slot)
	return kernel.OK
}
