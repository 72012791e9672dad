package iter

import "dmasim/sim/hw"

// Bvec is struct bio_vec: a range of physically contiguous memory.
type Bvec struct {
	// Pages are the pages that the range is in, from the one that Offset counts from on.
	// They are neighbours, so the kernel needs the first only.
	Pages []*hw.Page
	// Offset is where the range begins. A view of a part may have one beyond the first
	// page.
	Offset, Len uint32
}

// Phys is bvec_phys: the physical address of the first byte.
func (b Bvec) Phys() uint64 { return b.Pages[0].PFN*hw.PageSize + uint64(b.Offset) }

// Page is the page that the n-th byte is in, and where in it.
func (b Bvec) Page(n uint32) (*hw.Page, uint32) {
	at := b.Offset + n
	return b.Pages[at/hw.PageSize], at % hw.PageSize
}
