package iter

import "dmasim/sim/kernel"

// Advance is iov_iter_advance: takes n bytes, at most what is left (IT-1). At the end of a
// vector it goes on to the next one that is not empty; if nothing is left, it stays.
func (i *Iter) Advance(n uint64) {
	n = min(n, i.Count)
	if !i.vectored() {
		i.Offset += n
		i.Count -= n
		return
	}
	if i.Count == 0 {
		return
	}
	i.Count -= n
	n += i.Offset
	for ; i.seg < i.vecs(); i.seg++ {
		_, l := i.vec(i.seg)
		if n < l {
			break
		}
		n -= l
	}
	i.Offset = n
}

// Revert is iov_iter_revert: gives n bytes back that were taken (IT-2). It must not be
// more; then UBUF and DMA_TOKEN end in BUG, and vectors are read that are none.
func (i *Iter) Revert(t *kernel.Task, n uint64) {
	if i.Type == ITER_DMA_TOKEN {
		t.Mark("IT-2")
	}
	switch {
	case n == 0:
		return
	case n > MaxRWCount:
		t.Warn("iov_iter_revert by %d bytes", n)
		return
	}
	i.Count += n
	if n <= i.Offset {
		i.Offset -= n
		if i.Type == ITER_DMA_TOKEN {
			t.Mark("IT-2 gives back")
		}
		return
	}
	if !i.vectored() {
		t.BUG("iov_iter_revert by %d bytes at offset %d", n, i.Offset)
	}
	for n -= i.Offset; ; {
		i.seg--
		_, l := i.rest(t, "iov_iter_revert", i.seg, 0)
		if n <= l {
			i.Offset = l - n
			return
		}
		n -= l
	}
}

// Truncate is iov_iter_truncate: at most n bytes are left. The position stays.
func (i *Iter) Truncate(n uint64) { i.Count = min(i.Count, n) }

// Reexpand is iov_iter_reexpand: n bytes are left. Whether there are so many is the
// caller's business.
func (i *Iter) Reexpand(n uint64) { i.Count = n }

// State is struct iov_iter_state.
type State struct {
	offset, count uint64
	nrSegs        int
}

// Save is iov_iter_save_state.
func (i *Iter) Save() State { return State{i.Offset, i.Count, i.NrSegs()} }

// Restore is iov_iter_restore (IT-5): position and count are again as they were when they
// were saved, and nothing else. The current vector is found by the number of those that
// were left.
func (i *Iter) Restore(s State) {
	i.Offset, i.Count = s.offset, s.count
	if i.vectored() {
		i.seg -= s.nrSegs - i.NrSegs()
	}
}

// Dup is dup_iter: an iterator with vectors of its own, those from the current one on.
// False stands for NULL, which is the answer for types without vectors, and also the one
// if there is no memory: then the new iterator has a count and no vectors.
func (i *Iter) Dup(t *kernel.Task, gfp kernel.GFP) (Iter, bool) {
	d := *i
	if !i.vectored() {
		return d, false
	}
	d.iovecs, d.kvecs, d.bvecs, d.seg = nil, nil, nil, 0
	if t.MayFail(gfp, "dup_iter") != kernel.OK {
		return d, false
	}
	switch i.Type {
	case ITER_IOVEC:
		d.iovecs = append(d.iovecs, i.iovecs[i.seg:]...)
	case ITER_KVEC:
		d.kvecs = append(d.kvecs, i.kvecs[i.seg:]...)
	case ITER_BVEC:
		d.bvecs = append(d.bvecs, i.bvecs[i.seg:]...)
	}
	return d, true
}
