package iter

// Type is enum iter_type: what an iterator's memory is described by.
type Type uint8

// The values are those of the kernel. Those of ITER_FOLIOQ, ITER_XARRAY and ITER_DISCARD
// are left free.
const (
	// ITER_UBUF: one range of user memory.
	ITER_UBUF Type = 0
	// ITER_IOVEC: ranges of user memory.
	ITER_IOVEC Type = 1
	// ITER_BVEC: ranges of physical memory.
	ITER_BVEC Type = 2
	// ITER_KVEC: ranges of kernel memory.
	ITER_KVEC Type = 3
	// ITER_DMA_TOKEN: a range of the buffer behind a token (RFC v2).
	ITER_DMA_TOKEN Type = 7
)

func (y Type) String() string {
	return [...]string{"UBUF", "IOVEC", "BVEC", "KVEC", "FOLIOQ", "XARRAY", "DISCARD", "DMA_TOKEN"}[y]
}
