//go:build linux

package realring

import (
	"runtime"
	"unsafe"

	"dmasim/internal/uapi"
)

// DmaBuf is a dma-buf as a fixed buffer for I/O on one file, both by their descriptors.
// With -1 for both it is an empty slot.
type DmaBuf struct{ Target, DmaBuf int32 }

// UpdateDmaBufs replaces slots of the table from slot first on by dma-bufs, and returns how
// many it did, as UpdateBuffers. Kernels without such buffers answer EINVAL, see
// TakesDmaBufs. The addresses
// of requests are offsets in the dma-buf.
func (r *Ring) UpdateDmaBufs(first int, bufs []DmaBuf) (int, error) {
	none := new(uapi.Iovec) // what the iovec of a dma-buf has to be
	entries := make([]uapi.IoUringRegBuffer, len(bufs))
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(none)
	for i, b := range bufs {
		entries[i] = uapi.IoUringRegBuffer{IovUaddr: uint64(uintptr(unsafe.Pointer(none))), TargetFd: b.Target, DmabufFd: b.DmaBuf}
	}
	u := &uapi.IoUringRsrcUpdate2{
		Offset: uint32(first), Resv: uapi.IORING_RSRC_F_EXTENDED_UPDATE, Nr: uint32(len(bufs)),
		Data: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(entries)))),
	}
	if len(bufs) > 0 {
		pin.Pin(unsafe.SliceData(entries))
	}
	n, errno := r.register(uapi.IORING_REGISTER_BUFFERS_UPDATE, unsafe.Pointer(u), int(unsafe.Sizeof(*u)))
	return n, uapi.Fail(errno, "IORING_REGISTER_BUFFERS_UPDATE of %d slots from %d with dma-bufs", len(bufs), first)
}
