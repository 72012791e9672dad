package uringsim

import (
	"math"

	"dmasim/dmabufsim"
	"dmasim/iter"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// RegBuffer is an entry of a registration or update of buffers: an iovec, or with
// IORING_RSRC_F_EXTENDED_UPDATE struct io_uring_reg_buffer.
type RegBuffer struct {
	// Iovec is the range of user memory, or what iov_uaddr points to; nil: that cannot be read.
	Iovec *iter.Iovec
	// Target and DmaBuf are what the descriptors stand for, nil if they are -1.
	Target *iter.File
	DmaBuf *dmabufsim.DmaBuf
	// Foreign says that the descriptor for the dma-buf is that of another file; DmaBuf is nil then.
	Foreign bool
	Tag     uint64
	// Unreadable says that the struct io_uring_reg_buffer itself is in memory that cannot be read.
	Unreadable bool
}

// RegisterBuffers is IORING_REGISTER_BUFFERS, and BUFFERS2 if there are tags: a new table,
// with all entries or not at all.
func (r *Ring) RegisterBuffers(t *kernel.Task, entries []RegBuffer) kernel.Errno {
	return r.registerBuffers(t, len(entries), entries, 0)
}

// RegisterSparse is IORING_REGISTER_BUFFERS2 with IORING_RSRC_REGISTER_SPARSE: n empty slots.
func (r *Ring) RegisterSparse(t *kernel.Task, n int) kernel.Errno {
	return r.registerBuffers(t, n, nil, IORING_RSRC_REGISTER_SPARSE)
}

// registerBuffers is io_register_rsrc of buffers, and io_sqe_buffers_register.
func (r *Ring) registerBuffers(t *kernel.Task, n int, entries []RegBuffer, flags uint32) kernel.Errno {
	r.lock(t)
	defer r.unlock(t)
	if err := r.mayRegister(t); err != kernel.OK {
		return err
	}
	switch {
	case flags&^IORING_RSRC_REGISTER_SPARSE != 0, flags&IORING_RSRC_REGISTER_SPARSE != 0 && entries != nil:
		return kernel.EINVAL
	case r.buffers.exists():
		return kernel.EBUSY
	case n == 0, n > maxBuffers:
		return kernel.EINVAL
	case flags&IORING_RSRC_REGISTER_SPARSE == 0 && entries == nil:
		return kernel.EFAULT
	}
	if err := t.MayFail(kernel.GFP_KERNEL, "io_rsrc_data"); err != kernel.OK {
		return err
	}
	r.buffers.nodes = make([]*node, n)
	for i := range entries {
		e := &entries[i]
		node, err := r.newUserBuffer(t, e)
		if err == kernel.OK && e.Tag != 0 {
			if node == nil {
				err = kernel.EINVAL
			} else {
				node.tag = e.Tag
			}
		}
		r.buffers.nodes[i] = node
		if err != kernel.OK { // io_clear_table_tags
			for _, n := range r.buffers.nodes {
				if n != nil {
					n.tag = 0
				}
			}
			r.dropTable(t, &r.buffers)
			return err
		}
	}
	return kernel.OK
}

// UpdateBuffers is IORING_REGISTER_BUFFERS_UPDATE: entry by entry, from slot off on. It
// returns how many were done, or the error if none was.
func (r *Ring) UpdateBuffers(t *kernel.Task, off, flags uint32, entries []RegBuffer) (int, kernel.Errno) {
	r.lock(t)
	defer r.unlock(t)
	return r.updateBuffers(t, off, flags, entries)
}

func (r *Ring) updateBuffers(t *kernel.Task, off, flags uint32, entries []RegBuffer) (int, kernel.Errno) {
	if err := r.mayRegister(t); err != kernel.OK {
		return 0, err
	}
	allowed := uint32(IORING_RSRC_F_EXTENDED_UPDATE)
	if t.K.Profile == kernel.V6_12 {
		allowed = 0
	}
	if err := updateRange(t, &r.buffers, off, uint32(len(entries)), flags, allowed); err != kernel.OK {
		return 0, err
	}
	for done := range entries {
		e := &entries[done]
		var n *node
		var err kernel.Errno
		if flags&IORING_RSRC_F_EXTENDED_UPDATE != 0 && e.Unreadable {
			t.Mark("REG unreadable")
			if err = kernel.EFAULT; !token.Repaired(t, token.FixCountDone) {
				t.Stressf("REG-1", "entry %d cannot be read: return %v", done, err)
				return 0, err
			}
		} else if flags&IORING_RSRC_F_EXTENDED_UPDATE != 0 && (e.Target != nil || e.DmaBuf != nil || e.Foreign) {
			n, err = r.newDmaBuf(t, e)
		} else {
			n, err = r.newUserBuffer(t, e)
		}
		if err == kernel.OK && e.Tag != 0 {
			if n == nil {
				err = kernel.EINVAL
			} else {
				n.tag = e.Tag
			}
		}
		if err != kernel.OK {
			if n != nil {
				n.tag = 0
				r.putNode(t, n)
			}
			if done > 0 {
				return done, kernel.OK
			}
			return 0, err
		}
		slot := int(off) + done
		if n != nil && n.imu.dma != nil {
			t.Mark("REG-7")
			if r.buffers.nodes[slot] != nil {
				t.Mark("REG-7 replaces")
			}
		}
		r.reset(t, &r.buffers, slot)
		r.buffers.nodes[slot] = n
	}
	return len(entries), kernel.OK
}

// RegisterDmaBuf updates a slot of the table with a dma-buf: the buffer can then be used for
// direct I/O on the target file.
func (r *Ring) RegisterDmaBuf(t *kernel.Task, slot int, target *iter.File, buf *dmabufsim.DmaBuf) kernel.Errno {
	r.lock(t)
	defer r.unlock(t)
	one := [1]RegBuffer{{Iovec: &iter.Iovec{}, Target: target, DmaBuf: buf}}
	_, err := r.updateBuffers(t, uint32(slot), IORING_RSRC_F_EXTENDED_UPDATE, one[:])
	return err
}

// newDmaBuf is REG-1 to REG-7 of one entry.
func (r *Ring) newDmaBuf(t *kernel.Task, e *RegBuffer) (*node, kernel.Errno) {
	t.Mark("REG-1")
	if e.Iovec == nil || *e.Iovec != (iter.Iovec{}) {
		t.Mark("REG-1 refused")
		return nil, kernel.EFAULT
	}
	t.Mark("REG-2")
	n, err := r.newNode(t)
	if err != kernel.OK {
		t.Mark("REG-2 no node")
		return nil, err
	}
	undo := func(m *imu, reg *regbufDma, err kernel.Errno) (*node, kernel.Errno) {
		t.Mark("REG-6")
		if reg != nil {
			t.Free(&reg.Mem)
		}
		if m != nil {
			r.freeImu(m)
		}
		t.Free(&n.Mem)
		return nil, err
	}
	m, err := r.allocImu(t, 1)
	if err != kernel.OK {
		t.Mark("REG-2 no imu")
		return undo(nil, nil, err)
	}
	reg := &regbufDma{target: e.Target, dmabuf: e.DmaBuf}
	if err := t.Alloc(kernel.GFP_KERNEL, &reg.Mem, "io_regbuf_dma"); err != kernel.OK {
		t.Mark("REG-2 no regbuf")
		return undo(m, nil, err)
	}
	t.Mark("REG-3")
	if e.Target == nil {
		t.Mark("REG-3 no file")
		return undo(m, reg, kernel.EBADF)
	}
	e.Target.Get(t)
	t.Mark("REG-4")
	if e.DmaBuf == nil {
		t.Mark("REG-4 no dma-buf")
		e.Target.Put(t)
		err := kernel.EBADF
		if e.Foreign {
			err = kernel.EINVAL
		}
		return undo(m, reg, err)
	}
	e.DmaBuf.Get(t)
	if e.DmaBuf.Size > math.MaxUint32 && token.Repaired(t, token.FixCheckSize) {
		e.Target.Put(t)
		e.DmaBuf.Put(t)
		return undo(m, reg, kernel.EFAULT) // as a range of memory that is too long
	}
	var tok token.Token
	err = kernel.EOPNOTSUPP
	t.Mark("REG-5")
	if op, ok := e.Target.Ops.(iter.DmaMapper); ok {
		tok, err = op.DmaMap(t, e.Target, token.Params{DmaBuf: e.DmaBuf, Dir: hw.Bidirectional})
	}
	if err != kernel.OK {
		t.Mark("REG-5 refused")
		undo(m, reg, err)
		e.Target.Put(t)
		e.DmaBuf.Put(t)
		return nil, err
	}
	if token.Repaired(t, token.FixInitImu) {
		m.bvecs, m.acctPages = nil, 0
	}
	m.nrBvecs = 1
	if token.Repaired(t, token.FixNoVectors) {
		m.nrBvecs = 0
	}
	m.ubuf, m.length, m.folioShift, m.refs = 0, uint64(uint32(e.DmaBuf.Size)), 0, 1
	reg.token = tok
	m.toMemory, m.fromMemory, m.dma, m.kbuf = true, true, reg, false
	m.release = m.releaseDma
	n.imu = m
	return n, kernel.OK
}

// DmaBufAt is the dma-buf in a slot, nil if there is none, for tests.
func (r *Ring) DmaBufAt(slot int) *dmabufsim.DmaBuf {
	if n := r.buffers.lookup(slot); n != nil && n.imu.dma != nil {
		return n.imu.dma.dmabuf
	}
	return nil
}

// releaseDma is RELEASE-IMU.
func (m *imu) releaseDma(t *kernel.Task) {
	t.Mark("RELEASE-IMU")
	m.dma.token.Unregister(t)
	m.dma.dmabuf.Put(t)
	m.dma.target.Put(t)
	t.Free(&m.dma.Mem)
}

// UnregisterBuffer empties a slot: an update with an empty entry. Requests that use the buffer keep it until they are
// freed; it does not wait for them.
func (r *Ring) UnregisterBuffer(t *kernel.Task, slot int) kernel.Errno {
	r.lock(t)
	defer r.unlock(t)
	if r.buffers.lookup(slot) == nil {
		return kernel.ENXIO
	}
	r.reset(t, &r.buffers, slot)
	return kernel.OK
}

// UnregisterBuffers is IORING_UNREGISTER_BUFFERS. Until 6.12 it waits for the requests that
// use a table, until a signal comes.
func (r *Ring) UnregisterBuffers(t *kernel.Task) kernel.Errno {
	return r.unregister(t, &r.buffers)
}

func (r *Ring) unregister(t *kernel.Task, d *table) kernel.Errno {
	r.lock(t)
	defer r.unlock(t)
	if err := r.mayRegister(t); err != kernel.OK {
		return err
	}
	if !d.exists() {
		return kernel.ENXIO
	}
	if t.K.Profile == kernel.V6_12 {
		if err := r.quiesce(t); err != kernel.OK {
			return err
		}
		if !d.exists() { // uring_lock was dropped
			return kernel.ENXIO
		}
		for _, n := range d.nodes {
			if n != nil {
				n.tag = 0
			}
		}
	}
	r.dropTable(t, d)
	return kernel.OK
}
