//go:build linux

package udmabuf

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"dmasim/internal/uapi"
)

// NewHeapBuf makes a dma-buf of the system heap (/dev/dma_heap/system), another exporter of
// ordinary memory.
func NewHeapBuf(size int) (*DmaBuf, error) {
	const heap = "/dev/dma_heap/system"
	fd, err := unix.Open(heap, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, failed(err, "open %s", heap)
	}
	defer unix.Close(fd)
	arg := &uapi.DmaHeapAllocationData{Len: uint64(size), FdFlags: unix.O_RDWR | unix.O_CLOEXEC}
	if _, errno := ioctl(fd, uapi.DMA_HEAP_IOCTL_ALLOC, unsafe.Pointer(arg)); errno != 0 {
		return nil, uapi.Fail(errno, "DMA_HEAP_IOCTL_ALLOC of %d bytes", size)
	}
	return &DmaBuf{int(arg.Fd), size}, nil
}
