package iter

import (
	"math"

	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// Extraction is iov_iter_extraction_t.
type Extraction uint8

// ITER_ALLOW_P2PDMA allows memory of a device among the pages. Without it they are
// refused.
const ITER_ALLOW_P2PDMA Extraction = 1

// WillPin is iov_iter_extract_will_pin: whoever extracts pages has to unpin them.
func (i *Iter) WillPin() bool { return i.UserBacked() }

// ExtractPages is iov_iter_extract_pages: at most size bytes, at most so many pages, as the
// pages that they are in and the offset in the first of them. Only the last may be filled
// in part: it ends with the vector. User pages are pinned; of the others nobody takes a
// reference, so whoever made the iterator has to keep them. It advances, and returns the
// bytes, or a negative errno.
func (i *Iter) ExtractPages(t *kernel.Task, size uint64, most int, flags Extraction) (pages []*hw.Page, off uint64, n int64) {
	size = min(size, i.Count, MaxRWCount)
	switch {
	case size == 0:
		return nil, 0, 0
	case i.Type == ITER_DMA_TOKEN:
		return nil, 0, Neg(kernel.EFAULT)
	case i.UserBacked():
		return i.extractUser(t, size, most, flags)
	}
	rest := uint64(0)
	for ; ; i.seg, i.Offset = i.seg+1, 0 {
		if i.NrSegs() == 0 {
			return nil, 0, 0
		}
		if _, rest = i.rest(t, "iov_iter_extract_pages", i.seg, i.Offset); rest > 0 {
			break
		}
	}
	size = min(size, rest)
	pages, off = i.pages(t, "iov_iter_extract_pages", i.seg, i.Offset, size)
	pages = pages[:wantPages(t, size, off, most)]
	return pages, off, i.took(pages, off, size)
}

func (i *Iter) extractUser(t *kernel.Task, size uint64, most int, flags Extraction) (pages []*hw.Page, off uint64, n int64) {
	addr, size := i.firstSegment(t, size)
	off = addr % hw.PageSize
	want := PROT_READ
	if !i.source() {
		want = PROT_WRITE
	}
	pages, err := i.mm.pin(t, addr, wantPages(t, size, off, most), want, !i.Nofault, flags&ITER_ALLOW_P2PDMA != 0)
	if err != kernel.OK {
		return nil, 0, Neg(err)
	}
	return pages, off, i.took(pages, off, size)
}

// took advances over what of size bytes is in the pages.
func (i *Iter) took(pages []*hw.Page, off, size uint64) int64 {
	size = min(size, uint64(len(pages))*hw.PageSize-off)
	i.Advance(size)
	return int64(size)
}

// wantPages is want_pages_array: the pages of n bytes.
func wantPages(t *kernel.Task, n, off uint64, most int) int {
	k := min(int((off+n+hw.PageSize-1)/hw.PageSize), most)
	if k == 0 {
		t.Warn("iov_iter_extract_pages of no pages")
	}
	return k
}

// firstSegment is first_iovec_segment: where user memory goes on, and how far up to size.
func (i *Iter) firstSegment(t *kernel.Task, size uint64) (addr, n uint64) {
	if i.Type == ITER_UBUF {
		return i.Pointer + i.Offset, size
	}
	for k, skip := i.seg, i.Offset; k < len(i.iovecs); k, skip = k+1, 0 {
		if base, rest := i.rest(t, "iov_iter_extract_pages", k, skip); rest > 0 {
			return base, min(size, rest)
		}
	}
	t.BUG("an ITER_IOVEC iterator with %d bytes left has no memory", i.Count)
	return 0, 0
}

// ExtractBvecs is iov_iter_extract_bvecs, and what bio_iov_iter_get_pages does before it
// exists: appends vectors for pages that are extracted to those of a bio that has room for
// so many. Neighbouring pages share one. An address that has a bit of the mask is
// refused with -EINVAL. It returns the bytes, or a negative errno.
func (i *Iter) ExtractBvecs(t *kernel.Task, vecs []Bvec, room int, addrMask uint64, flags Extraction) ([]Bvec, int64) {
	if i.Count > 0 && i.Type != ITER_DMA_TOKEN && i.currentAddr(t)&addrMask != 0 {
		return vecs, Neg(kernel.EINVAL)
	}
	pages, off, n := i.ExtractPages(t, math.MaxUint32, room-len(vecs), flags)
	switch {
	case n == 0:
		return vecs, Neg(kernel.EFAULT)
	case n < 0:
		return vecs, n
	}
	for left := uint64(n); left > 0; off = 0 {
		k := 1
		for k < len(pages) && pages[k].PFN == pages[k-1].PFN+1 {
			k++
		}
		size := min(left, uint64(k)*hw.PageSize-off)
		vecs = append(vecs, Bvec{Pages: pages[:k:k], Offset: uint32(off), Len: uint32(size)})
		pages = pages[k:]
		left -= size
	}
	return vecs, n
}

// currentAddr is where the iterator goes on.
func (i *Iter) currentAddr(t *kernel.Task) uint64 {
	if i.UserBacked() {
		addr, _ := i.firstSegment(t, i.Count)
		return addr
	}
	base, _ := i.rest(t, "iov_iter_extract_bvecs", i.seg, i.Offset)
	return base
}

// Vectors is what a bio takes from an ITER_BVEC iterator (bio_iov_bvec_set): the vectors
// themselves from the current one on, and the offset in it. Nothing is copied, and no
// reference taken.
func (i *Iter) Vectors() ([]Bvec, uint64) { return i.bvecs[i.seg:], i.Offset }
