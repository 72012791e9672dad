package iter

import (
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// pageOffset is PAGE_OFFSET: where the kernel has all physical memory mapped.
const pageOffset = 0xffff_8880_0000_0000

// Iovec is struct iovec: a range of user addresses.
type Iovec struct{ Base, Len uint64 }

// Kvec is struct kvec: a range of kernel addresses.
type Kvec struct {
	Base, Len uint64
	// Pages are those that the range is in. They need not be neighbours.
	Pages []*hw.Page
}

// Lowmem is n bytes of neighbouring pages at the address that the kernel always has them
// at.
func Lowmem(pages []*hw.Page, off, n uint64) Kvec {
	pages, off = pages[off/hw.PageSize:], off%hw.PageSize
	return Kvec{pageOffset + pages[0].Phys() + off, n, pages}
}

// vectored tells whether the memory is described by vectors.
func (i *Iter) vectored() bool {
	return i.Type == ITER_IOVEC || i.Type == ITER_KVEC || i.Type == ITER_BVEC
}

// vecs is the number of vectors in all, current or not.
func (i *Iter) vecs() int {
	switch i.Type {
	case ITER_IOVEC:
		return len(i.iovecs)
	case ITER_KVEC:
		return len(i.kvecs)
	case ITER_BVEC:
		return len(i.bvecs)
	}
	return 0
}

// vec is the k-th vector as numbers. The base of a bvec is the offset in its page.
func (i *Iter) vec(k int) (base, n uint64) {
	switch i.Type {
	case ITER_IOVEC:
		return i.iovecs[k].Base, i.iovecs[k].Len
	case ITER_KVEC:
		return i.kvecs[k].Base, i.kvecs[k].Len
	}
	return uint64(i.bvecs[k].Offset), uint64(i.bvecs[k].Len)
}

// rest is what is left of the k-th vector if skip bytes of it are done with. Nothing in
// the kernel keeps a call from going on behind the last vector; a debug kernel reports it.
func (i *Iter) rest(t *kernel.Task, call string, k int, skip uint64) (base, n uint64) {
	if k < 0 || k >= i.vecs() {
		i.outOfBounds(t, call, "vector %d of %d", k, i.vecs())
	}
	base, n = i.vec(k)
	if skip > n {
		i.outOfBounds(t, call, "offset %d in a vector of %d bytes", skip, n)
	}
	return base + skip, n - skip
}

// outOfBounds is KASAN's report.
func (i *Iter) outOfBounds(t *kernel.Task, call, format string, args ...any) {
	t.BUG("KASAN: slab-out-of-bounds in %s: "+format+" of an ITER_%s iterator", append(append([]any{call}, args...), i.Type)...)
}

// pages is the memory of n bytes of the k-th vector from skip on, of the types whose
// memory is the kernel's.
func (i *Iter) pages(t *kernel.Task, call string, k int, skip, n uint64) ([]*hw.Page, uint64) {
	var pages []*hw.Page
	off := skip
	if i.Type == ITER_KVEC {
		v := &i.kvecs[k]
		pages, off = v.Pages, off+v.Base%hw.PageSize
	} else {
		v := &i.bvecs[k]
		pages, off = v.Pages, off+uint64(v.Offset)
	}
	if off+n > uint64(len(pages))*hw.PageSize {
		i.outOfBounds(t, call, "bytes %d to %d of %d pages", off, off+n, len(pages))
	}
	return pages[off/hw.PageSize:], off % hw.PageSize
}
