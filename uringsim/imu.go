package uringsim

import (
	"math"

	"dmasim/dmabufsim"
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// cachedBvecs is IO_CACHED_BVECS_SEGS: buffers with no more vectors come from the ring's
// cache, and go there.
const cachedBvecs = 32

// imuCacheSize is IO_ALLOC_CACHE_MAX.
const imuCacheSize = 128

// imu is struct io_mapped_ubuf: a buffer, which rings that cloned it share.
type imu struct {
	obj  sim.Object // refs
	refs int

	ubuf, length uint64
	bvecs        []iter.Bvec
	nrBvecs      int // nr_bvecs, which for a dma-buf is not the number of vectors
	acctPages    int64
	folioShift   uint
	// toMemory and fromMemory are the mask of directions: what the buffer may be used for.
	toMemory, fromMemory bool

	release func(t *kernel.Task)
	mm      *iter.Mm
	pages   []*hw.Page // pinned

	dma  *regbufDma // of a dma-buf (IO_IMU_F_DMA), nil otherwise
	kbuf bool       // IO_REGBUF_F_KBUF: the kernel's
}

// regbufDma is struct io_regbuf_dma.
type regbufDma struct {
	kernel.Mem
	token  token.Token
	target *iter.File
	dmabuf *dmabufsim.DmaBuf
}

// allocImu is io_alloc_imu. What comes from the cache still holds what it held; what is
// fresh is taken to hold zeroes.
func (r *Ring) allocImu(t *kernel.Task, vecs int) (*imu, kernel.Errno) {
	if n := len(r.imuCache); n > 0 && vecs <= cachedBvecs {
		m := r.imuCache[n-1]
		r.imuCache = r.imuCache[:n-1]
		return m, kernel.OK
	}
	if err := t.MayFail(kernel.GFP_KERNEL, "io_mapped_ubuf"); err != kernel.OK {
		return nil, err
	}
	m := &imu{}
	t.Own(&m.obj, "refcount", "io_mapped_ubuf")
	return m, kernel.OK
}

// freeImu is io_free_imu.
func (r *Ring) freeImu(m *imu) {
	if len(m.bvecs) <= cachedBvecs && len(r.imuCache) < imuCacheSize {
		r.imuCache = append(r.imuCache, m)
	}
}

// putImu is io_buffer_unmap: the last ring releases the buffer. uring_lock is held, and
// protects the count from this ring, but not from the others.
func (r *Ring) putImu(t *kernel.Task, m *imu) {
	t.Touch(&m.obj, sim.Write)
	if m.refs <= 0 {
		t.Fail(kernel.RefcountMisuse, "put of an io_mapped_ubuf without a reference (%s)", t.Task)
	}
	t.Release(&m.obj) // refcount_dec_and_test
	if m.refs--; m.refs > 0 {
		return
	}
	t.Acquire(&m.obj)
	if m.acctPages != 0 {
		t.Mark("REG-8 accounts")
		if m.dma != nil {
			t.Stressf("REG-8", "subtract %d pinned page(s), of a dma-buf", m.acctPages)
		}
		r.User.unaccount(t, m.acctPages)
	}
	m.release(t)
	r.freeImu(m)
}

// validate is validate_fixed_range, and the direction.
func (m *imu) validate(addr, n uint64, dir hw.Direction) kernel.Errno {
	end := addr + n
	if end < addr || addr < m.ubuf || end > m.ubuf+m.length || n > iter.MaxRWCount {
		return kernel.EFAULT
	}
	if dir == hw.FromDevice && !m.toMemory || dir == hw.ToDevice && !m.fromMemory {
		return kernel.EFAULT
	}
	return kernel.OK
}

// importFixed is io_import_fixed: IMP-2 and IMP-3 for a dma-buf, and for ordinary memory an
// iterator of the buffer's own vectors.
func (req *request) importFixed(t *kernel.Task, m *imu, dir hw.Direction, nonblock bool) kernel.Errno {
	s := &req.sqe
	if err := m.validate(s.Addr, s.Len, dir); err != kernel.OK {
		if m.dma != nil {
			t.Mark("IMP-2 range")
		}
		return err
	}
	if m.dma == nil {
		off := s.Addr - m.ubuf
		req.iter = m.at(t, dir, off, s.Len)
		return kernel.OK
	}
	if s.Len == 0 {
		t.Mark("IMP-2 empty")
		return kernel.EFAULT
	}
	if req.file != m.dma.target {
		t.Mark("IMP-2 other file")
		return kernel.EBADF
	}
	t.Mark("IMP-3")
	req.drop(t) // what an earlier issue imported
	req.use = token.Use{Token: m.dma.token, Dir: dir, Off: s.Addr, Len: s.Len, Nowait: nonblock}
	if err := m.dma.token.Import(t, &req.use); err != kernel.OK {
		return err
	}
	req.imported = true
	req.iter = iter.DmaToken(t, &req.use)
	return kernel.OK
}

// at is an iterator for n bytes of the buffer from off on: the vectors are used in place.
func (m *imu) at(t *kernel.Task, dir hw.Direction, off, n uint64) iter.Iter {
	v := m.bvecs
	for n > 0 && off >= uint64(v[0].Len) {
		off -= uint64(v[0].Len)
		v = v[1:]
	}
	if n == 0 {
		return iter.Bvecs(t, dir, nil, 0)
	}
	i := iter.Bvecs(t, dir, v, n)
	i.Offset = off
	return i
}

// checkIovecs is io_prep_reg_iovec: vectors are taken from the user at submission.
func checkIovecs(v []iter.Iovec) kernel.Errno {
	if len(v) > iter.UIO_MAXIOV {
		return kernel.EINVAL
	}
	for _, x := range v {
		if x.Len > math.MaxInt64 {
			return kernel.EINVAL
		}
	}
	return kernel.OK
}

// importVec is io_import_reg_vec (IMP-4): each part is cut into units of the buffer's folios.
// As posted it does not know of dma-bufs: their vectors were never written, their unit is a
// byte, and what is behind the one vector that they are said to have is read.
func (req *request) importVec(t *kernel.Task, m *imu, dir hw.Direction) kernel.Errno {
	if m.dma != nil {
		if t.Mark("IMP-4"); token.Repaired(t, token.FixRefuseVectored) {
			return kernel.EFAULT
		}
		t.Stress("IMP-4", "import vectors of a dma-buf")
	}
	if err := m.validate(m.ubuf, 0, dir); err != kernel.OK {
		return err
	}
	var out []iter.Bvec
	total := uint64(0)
	for _, v := range req.sqe.Iovecs {
		if err := m.validate(v.Base, v.Len, dir); err != kernel.OK || v.Len == 0 {
			if m.dma != nil {
				t.Mark("IMP-4 refused")
			}
			return kernel.EFAULT
		}
		if total+v.Len < total {
			return kernel.EOVERFLOW
		}
		total += v.Len
		if m.kbuf {
			out = m.part(out, v.Base-m.ubuf, v.Len)
			continue
		}
		unit := uint64(1) << m.folioShift
		off := v.Base - m.ubuf
		if len(m.bvecs) > 0 {
			off += uint64(m.bvecs[0].Offset)
		}
		index, off := off/unit, off%unit
		for left := v.Len; left > 0; off = 0 {
			if index >= uint64(len(m.bvecs)) {
				t.BUG("KASAN: slab-out-of-bounds in io_vec_fill_bvec: vector %d of a registered buffer that has %d", index, len(m.bvecs))
			}
			n := min(left, unit-off)
			out = append(out, iter.Bvec{Pages: m.bvecs[index].Pages, Offset: uint32(off), Len: uint32(n)})
			index++
			left -= n
		}
	}
	if total > iter.MaxRWCount {
		return kernel.EINVAL
	}
	req.iter = iter.Bvecs(t, dir, out, total)
	return kernel.OK
}

// part appends vectors for n bytes of a buffer of the kernel, from off on.
func (m *imu) part(out []iter.Bvec, off, n uint64) []iter.Bvec {
	for _, b := range m.bvecs {
		if off >= uint64(b.Len) {
			off -= uint64(b.Len)
			continue
		}
		k := min(n, uint64(b.Len)-off)
		if k == 0 {
			break
		}
		out = append(out, iter.Bvec{Pages: b.Pages, Offset: b.Offset + uint32(off), Len: uint32(k)})
		n, off = n-k, 0
	}
	return out
}
