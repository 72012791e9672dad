//go:build linux

package realring

import (
	"fmt"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"dmasim/internal/uapi"
)

// RegisterBuffers makes the table of fixed buffers. An entry that is all 0 is an empty
// slot. The kernel takes all or none.
func (r *Ring) RegisterBuffers(bufs []uapi.Iovec) error {
	_, errno := r.register(uapi.IORING_REGISTER_BUFFERS, unsafe.Pointer(unsafe.SliceData(bufs)), len(bufs))
	runtime.KeepAlive(bufs)
	if errno == 0 {
		return nil
	}
	why := ""
	if errno == unix.ENOMEM {
		why = "the limit of locked memory (RLIMIT_MEMLOCK) may be too low"
	}
	return &uapi.Error{Call: fmt.Sprintf("IORING_REGISTER_BUFFERS of %d buffers", len(bufs)), Errno: errno, Why: why}
}

// UpdateBuffers replaces slots of the table from slot first on, and returns how many it
// did: fewer than asked for if a later one is wrong, an error if the first one is.
// Requests in flight keep the buffer that they were issued with.
func (r *Ring) UpdateBuffers(first int, bufs []uapi.Iovec) (int, error) {
	u := &uapi.IoUringRsrcUpdate2{
		Offset: uint32(first), Nr: uint32(len(bufs)),
		Data: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(bufs)))),
	}
	var pin runtime.Pinner // u has the address as a number, which keeps nothing
	defer pin.Unpin()
	if len(bufs) > 0 {
		pin.Pin(unsafe.SliceData(bufs))
	}
	n, errno := r.register(uapi.IORING_REGISTER_BUFFERS_UPDATE, unsafe.Pointer(u), int(unsafe.Sizeof(*u)))
	runtime.KeepAlive(bufs)
	return n, uapi.Fail(errno, "IORING_REGISTER_BUFFERS_UPDATE of %d slots from %d", len(bufs), first)
}

// UnregisterBuffers drops the table of fixed buffers.
func (r *Ring) UnregisterBuffers() error {
	_, errno := r.register(uapi.IORING_UNREGISTER_BUFFERS, nil, 0)
	return uapi.Fail(errno, "IORING_UNREGISTER_BUFFERS")
}

// RegisterFiles makes the table of fixed files, to be used with IOSQE_FIXED_FILE. -1 is
// an empty slot.
func (r *Ring) RegisterFiles(fds []int32) error {
	_, errno := r.register(uapi.IORING_REGISTER_FILES, unsafe.Pointer(unsafe.SliceData(fds)), len(fds))
	runtime.KeepAlive(fds)
	return uapi.Fail(errno, "IORING_REGISTER_FILES of %d files", len(fds))
}

// UpdateFiles replaces slots of the table of files, and returns how many it did.
func (r *Ring) UpdateFiles(first int, fds []int32) (int, error) {
	u := &uapi.IoUringRsrcUpdate{Offset: uint32(first), Data: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(fds))))}
	var pin runtime.Pinner
	defer pin.Unpin()
	if len(fds) > 0 {
		pin.Pin(unsafe.SliceData(fds))
	}
	n, errno := r.register(uapi.IORING_REGISTER_FILES_UPDATE, unsafe.Pointer(u), len(fds))
	runtime.KeepAlive(fds)
	return n, uapi.Fail(errno, "IORING_REGISTER_FILES_UPDATE of %d slots from %d", len(fds), first)
}

// UnregisterFiles drops the table of fixed files.
func (r *Ring) UnregisterFiles() error {
	_, errno := r.register(uapi.IORING_UNREGISTER_FILES, nil, 0)
	return uapi.Fail(errno, "IORING_UNREGISTER_FILES")
}

// syncCancel is struct io_uring_sync_cancel_reg.
type syncCancel struct {
	addr    uint64
	fd      int32
	flags   uint32
	timeout [2]int64
	opcode  uint8
	pad     [7]uint8
	pad2    [3]uint64
}

// SyncCancelAny cancels everything that can be cancelled, and waits so long for it to
// end. ENOENT says that there was nothing, EINVAL that the kernel is older than 6.0.
func (r *Ring) SyncCancelAny(wait time.Duration) error {
	ts := unix.NsecToTimespec(int64(wait))
	c := &syncCancel{
		fd: -1, flags: uapi.IORING_ASYNC_CANCEL_ANY | uapi.IORING_ASYNC_CANCEL_ALL,
		timeout: [2]int64{int64(ts.Sec), int64(ts.Nsec)},
	}
	_, errno := r.register(uapi.IORING_REGISTER_SYNC_CANCEL, unsafe.Pointer(c), 1)
	return uapi.Fail(errno, "IORING_REGISTER_SYNC_CANCEL of everything")
}

// register is io_uring_register, repeated when a signal came in between: a call that
// returns EINTR has changed nothing.
func (r *Ring) register(op int, arg unsafe.Pointer, n int) (int, syscall.Errno) {
	if r.closed {
		return 0, unix.EBADF
	}
	for {
		res, errno := register(r.fd, op, arg, n)
		if errno != unix.EINTR {
			return res, errno
		}
	}
}

func register(fd, op int, arg unsafe.Pointer, n int) (int, syscall.Errno) {
	res, _, errno := unix.Syscall6(unix.SYS_IO_URING_REGISTER, uintptr(fd), uintptr(op), uintptr(arg), uintptr(n), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(res), 0
}
