package iter

import (
	"math"

	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// Alignment is iov_iter_alignment: all addresses and lengths that are used, or'ed (IT-3).
// The caller looks at the low bits. The address of a bvec is the offset in its page. If
// nothing is left it is 0; in 6.12 vectors give the address of the current one then.
func (i *Iter) Alignment(t *kernel.Task) uint64 {
	if i.Count == 0 && !(i.vectored() && t.K.Profile == kernel.V6_12) {
		return 0
	}
	if !i.vectored() {
		return i.Pointer + i.Offset | i.Count
	}
	var res uint64
	i.each(t, "iov_iter_alignment", func(base, n, left uint64) bool {
		if left > 0 || i.Type == ITER_BVEC { // empty ranges of addresses do not count
			res |= base | n
		}
		return true
	})
	return res
}

// IsAligned is iov_iter_is_aligned: no address has a bit of one mask, and no length one of
// the other. It looks at UBUF and at vectors; all else is aligned.
func (i *Iter) IsAligned(t *kernel.Task, addrMask, lenMask uint64) bool {
	switch {
	case i.Type == ITER_UBUF:
		return i.Count&lenMask == 0 && (i.Pointer+i.Offset)&addrMask == 0
	case !i.vectored():
		return true
	}
	ok := true
	i.each(t, "iov_iter_is_aligned", func(base, n, _ uint64) bool {
		ok = n&lenMask == 0 && base&addrMask == 0
		return ok
	})
	return ok
}

// each calls fn for vectors until all of the count was seen, and for one at least: with
// the address, the bytes that are used, and the bytes of the vector that are left.
func (i *Iter) each(t *kernel.Task, call string, fn func(base, n, left uint64) bool) {
	skip, size := i.Offset, i.Count
	for k := i.seg; ; k++ {
		base, left := i.rest(t, call, k, skip)
		n := min(left, size)
		if size -= n; !fn(base, n, left) || size == 0 {
			return
		}
		skip = 0
	}
}

// GapAlignment is iov_iter_gap_alignment: the ends and starts of vectors that meet, or'ed.
// Vectors count from their start, wherever the iterator is in them. For UBUF there is no
// such place, nor for a token (IT-4). Nobody is to ask for the other types.
func (i *Iter) GapAlignment(t *kernel.Task) uint64 {
	switch i.Type {
	case ITER_UBUF, ITER_DMA_TOKEN:
		return 0
	case ITER_IOVEC:
	default:
		t.Warn("iov_iter_gap_alignment of an ITER_%s iterator", i.Type)
		return math.MaxUint32 // ~0U
	}
	var res, end uint64
	for size, k := i.Count, i.seg; k < len(i.iovecs); k++ {
		v := i.iovecs[k]
		if v.Len == 0 {
			continue
		}
		if end != 0 {
			res |= v.Base | end
		}
		end = v.Base + v.Len
		if size <= v.Len {
			break
		}
		size -= v.Len
	}
	return res
}

// Npages is iov_iter_npages: the pages of each vector, at most so many in all. A page that
// two vectors share counts twice. For a token it is 0.
func (i *Iter) Npages(t *kernel.Task, most int) int {
	pages := func(base, n uint64) int { return int((base%hw.PageSize + n + hw.PageSize - 1) / hw.PageSize) }
	switch {
	case i.Count == 0, i.Type == ITER_DMA_TOKEN:
		return 0
	case i.Type == ITER_UBUF:
		return min(pages(i.Pointer+i.Offset, i.Count), most)
	}
	sum := 0
	i.each(t, "iov_iter_npages", func(base, n, _ uint64) bool {
		if n > 0 || i.Type == ITER_BVEC {
			sum += pages(base, n)
		}
		return sum <= most
	})
	return min(sum, most)
}

// SingleSegCount is iov_iter_single_seg_count: what is left of the current vector.
func (i *Iter) SingleSegCount(t *kernel.Task) uint64 {
	if !i.vectored() || i.NrSegs() <= 1 {
		return i.Count
	}
	_, n := i.rest(t, "iov_iter_single_seg_count", i.seg, i.Offset)
	return min(i.Count, n)
}
