package uringsim

import "dmasim/iter"

// Opcode is enum io_uring_op, as far as it is needed.
type Opcode uint8

const (
	IORING_OP_NOP          Opcode = 0
	IORING_OP_READ_FIXED   Opcode = 4
	IORING_OP_WRITE_FIXED  Opcode = 5
	IORING_OP_ASYNC_CANCEL Opcode = 14
	IORING_OP_READ         Opcode = 22
	IORING_OP_WRITE        Opcode = 23
	IORING_OP_READV_FIXED  Opcode = 60
	IORING_OP_WRITEV_FIXED Opcode = 61
)

// opNames are those of io_uring_get_opcode.
var opNames = map[Opcode]string{
	IORING_OP_NOP: "NOP", IORING_OP_READ_FIXED: "READ_FIXED", IORING_OP_WRITE_FIXED: "WRITE_FIXED",
	IORING_OP_ASYNC_CANCEL: "ASYNC_CANCEL", IORING_OP_READ: "READ", IORING_OP_WRITE: "WRITE",
	IORING_OP_READV_FIXED: "READV_FIXED", IORING_OP_WRITEV_FIXED: "WRITEV_FIXED",
}

func (o Opcode) String() string {
	if n := opNames[o]; n != "" {
		return n
	}
	return "INVALID"
}

func (o Opcode) write() bool {
	return o == IORING_OP_WRITE_FIXED || o == IORING_OP_WRITEV_FIXED || o == IORING_OP_WRITE
}
func (o Opcode) vectored() bool {
	return o == IORING_OP_READV_FIXED || o == IORING_OP_WRITEV_FIXED
}

// fixed tells whether the memory is a registered buffer.
func (o Opcode) fixed() bool {
	return o == IORING_OP_READ_FIXED || o == IORING_OP_WRITE_FIXED || o.vectored()
}

// rw tells whether the opcode transfers data.
func (o Opcode) rw() bool { return o.fixed() || o == IORING_OP_READ || o == IORING_OP_WRITE }

// Flags of SQEs.
const (
	IOSQE_FIXED_FILE       = 1 << 0
	IOSQE_IO_DRAIN         = 1 << 1 // refused: not modelled
	IOSQE_IO_LINK          = 1 << 2
	IOSQE_IO_HARDLINK      = 1 << 3
	IOSQE_ASYNC            = 1 << 4
	IOSQE_BUFFER_SELECT    = 1 << 5
	IOSQE_CQE_SKIP_SUCCESS = 1 << 6

	sqeFlags = 1<<7 - 1
	links    = IOSQE_IO_LINK | IOSQE_IO_HARDLINK
)

// Flags of IORING_OP_ASYNC_CANCEL.
const (
	IORING_ASYNC_CANCEL_ALL = 1 << 0
	IORING_ASYNC_CANCEL_ANY = 1 << 2
)

// SQE is struct io_uring_sqe, as far as it is needed.
type SQE struct {
	Opcode Opcode
	Flags  uint8
	// File is what fd stands for, nil for a descriptor that is not open. With
	// IOSQE_FIXED_FILE it is Fd, an index in the table of files.
	File *iter.File
	Fd   int
	// BufIndex is buf_index, in the table of buffers.
	BufIndex int
	// Addr is where in the buffer: an offset in a dma-buf, and a user address in ordinary
	// memory, registered or not. Len is the length, Off the position in the file, all in bytes. A cancel has
	// the user data of what it looks for in Addr.
	Addr, Len uint64
	Off       int64
	// Iovecs are what Addr points to for the vectored opcodes.
	Iovecs []iter.Iovec
	// RWFlags is rw_flags: RWF_NOWAIT and the like. A cancel has its flags there.
	RWFlags  uint32
	UserData uint64
}
