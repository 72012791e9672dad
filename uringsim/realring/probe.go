//go:build linux

package realring

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"dmasim/internal/uapi"
)

// Probe asks the kernel which operations the ring has (5.6).
func (r *Ring) Probe() (*Operations, error) {
	p := &uapi.IoUringProbe{}
	if _, errno := r.register(uapi.IORING_REGISTER_PROBE, unsafe.Pointer(p), len(p.Ops)); errno != 0 {
		return nil, uapi.Fail(errno, "IORING_REGISTER_PROBE")
	}
	return &Operations{p}, nil
}

// Operations are the IORING_OP_* that a kernel has.
type Operations struct{ probe *uapi.IoUringProbe }

// Has tells whether the kernel has the operation.
func (o *Operations) Has(op uint8) bool {
	return op <= o.probe.LastOp && o.probe.Ops[op].Flags&uapi.IO_URING_OP_SUPPORTED != 0
}

// Last is the highest operation that the kernel knows.
func (o *Operations) Last() uint8 { return o.probe.LastOp }

// noFd is a descriptor that is not open: beyond every limit, and not -1, with which
// newer kernels do some operations that need no ring.
const noFd = 1<<30 - 1

// HasRegister tells whether the kernel knows a number of io_uring_register: with a
// descriptor that is not open it answers EBADF, and EINVAL to what it does not know.
func HasRegister(op int) bool {
	_, errno := register(noFd, op, nil, 0)
	return errno == unix.EBADF
}

// TakesDmaBufs tells whether an entry of an update of buffers can be a dma-buf, as RFC v2 of the
// dma-token series has it: by the flag IORING_RSRC_F_EXTENDED_UPDATE, in a field that other
// kernels want to be zero. It wants a ring without buffers.
func (r *Ring) TakesDmaBufs() (bool, error) {
	if err := r.RegisterBuffers(make([]uapi.Iovec, 1)); err != nil {
		return false, err
	}
	u := &uapi.IoUringRsrcUpdate2{Resv: uapi.IORING_RSRC_F_EXTENDED_UPDATE, Nr: 1} // of an entry at address 0
	_, errno := r.register(uapi.IORING_REGISTER_BUFFERS_UPDATE, unsafe.Pointer(u), int(unsafe.Sizeof(*u)))
	return errno == unix.EFAULT, r.UnregisterBuffers()
}
