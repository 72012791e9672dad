package uapi

// From include/uapi/linux/dma-heap.h.

// DMA_HEAP_IOCTL_ALLOC is the ioctl of a heap.
const DMA_HEAP_IOCTL_ALLOC = 0xc0184800

// DmaHeapAllocationData is struct dma_heap_allocation_data.
type DmaHeapAllocationData struct {
	Len         uint64
	Fd, FdFlags uint32
	HeapFlags   uint64
}
