//go:build linux

package realring

import "dmasim/internal/uapi"

// Nop is IORING_OP_NOP, which completes with 0.
func Nop(userData uint64) uapi.IoUringSqe {
	return uapi.IoUringSqe{Opcode: uapi.IORING_OP_NOP, Fd: -1, UserData: userData}
}

// Read is IORING_OP_READ into memory at addr.
func Read(fd int, addr uint64, n uint32, off, userData uint64) uapi.IoUringSqe {
	return rw(uapi.IORING_OP_READ, fd, addr, n, off, 0, userData)
}

// Write is IORING_OP_WRITE from memory at addr.
func Write(fd int, addr uint64, n uint32, off, userData uint64) uapi.IoUringSqe {
	return rw(uapi.IORING_OP_WRITE, fd, addr, n, off, 0, userData)
}

// ReadFixed is IORING_OP_READ_FIXED into a registered buffer. addr is an address in the
// mapping that was registered.
func ReadFixed(fd int, addr uint64, n uint32, off uint64, slot uint16, userData uint64) uapi.IoUringSqe {
	return rw(uapi.IORING_OP_READ_FIXED, fd, addr, n, off, slot, userData)
}

// WriteFixed is IORING_OP_WRITE_FIXED from a registered buffer.
func WriteFixed(fd int, addr uint64, n uint32, off uint64, slot uint16, userData uint64) uapi.IoUringSqe {
	return rw(uapi.IORING_OP_WRITE_FIXED, fd, addr, n, off, slot, userData)
}

func rw(op uint8, fd int, addr uint64, n uint32, off uint64, slot uint16, userData uint64) uapi.IoUringSqe {
	return uapi.IoUringSqe{Opcode: op, Fd: int32(fd), Addr: addr, Len: n, Off: off, BufIndex: slot, UserData: userData}
}

// Cancel is IORING_OP_ASYNC_CANCEL of the request with that user data. It completes with
// 0, -ENOENT if there is none, or -EALREADY if it cannot be stopped any more.
func Cancel(target, userData uint64) uapi.IoUringSqe {
	return uapi.IoUringSqe{Opcode: uapi.IORING_OP_ASYNC_CANCEL, Fd: -1, Addr: target, UserData: userData}
}
