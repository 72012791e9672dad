package uapi

// From include/uapi/linux/io_uring.h.

// Flags of io_uring_setup, IoUringParams.Flags.
const (
	IORING_SETUP_IOPOLL        = 1 << 0
	IORING_SETUP_SQPOLL        = 1 << 1
	IORING_SETUP_CQSIZE        = 1 << 3
	IORING_SETUP_CLAMP         = 1 << 4
	IORING_SETUP_SUBMIT_ALL    = 1 << 7
	IORING_SETUP_COOP_TASKRUN  = 1 << 8
	IORING_SETUP_TASKRUN_FLAG  = 1 << 9
	IORING_SETUP_SQE128        = 1 << 10
	IORING_SETUP_CQE32         = 1 << 11
	IORING_SETUP_SINGLE_ISSUER = 1 << 12
	IORING_SETUP_DEFER_TASKRUN = 1 << 13
	IORING_SETUP_NO_MMAP       = 1 << 14
	IORING_SETUP_NO_SQARRAY    = 1 << 16
)

// Features of a ring, IoUringParams.Features.
const (
	IORING_FEAT_SINGLE_MMAP     = 1 << 0
	IORING_FEAT_NODROP          = 1 << 1
	IORING_FEAT_SUBMIT_STABLE   = 1 << 2
	IORING_FEAT_RW_CUR_POS      = 1 << 3
	IORING_FEAT_CUR_PERSONALITY = 1 << 4
	IORING_FEAT_FAST_POLL       = 1 << 5
	IORING_FEAT_POLL_32BITS     = 1 << 6
	IORING_FEAT_SQPOLL_NONFIXED = 1 << 7
	IORING_FEAT_EXT_ARG         = 1 << 8
	IORING_FEAT_NATIVE_WORKERS  = 1 << 9
	IORING_FEAT_RSRC_TAGS       = 1 << 10
	IORING_FEAT_CQE_SKIP        = 1 << 11
	IORING_FEAT_LINKED_FILE     = 1 << 12
)

// Operations, IoUringSqe.Opcode.
const (
	IORING_OP_NOP          = 0
	IORING_OP_READ_FIXED   = 4
	IORING_OP_WRITE_FIXED  = 5
	IORING_OP_ASYNC_CANCEL = 14
	IORING_OP_READ         = 22
	IORING_OP_WRITE        = 23
)

// Flags of a request, IoUringSqe.Flags.
const (
	IOSQE_FIXED_FILE    = 1 << 0
	IOSQE_IO_DRAIN      = 1 << 1
	IOSQE_IO_LINK       = 1 << 2
	IOSQE_IO_HARDLINK   = 1 << 3
	IOSQE_ASYNC         = 1 << 4
	IOSQE_BUFFER_SELECT = 1 << 5
)

// Flags of ASYNC_CANCEL, IoUringSqe.OpFlags.
const (
	IORING_ASYNC_CANCEL_ALL = 1 << 0
	IORING_ASYNC_CANCEL_FD  = 1 << 1
	IORING_ASYNC_CANCEL_ANY = 1 << 2
)

// Offsets for mmap of the ring.
const (
	IORING_OFF_SQ_RING = 0
	IORING_OFF_CQ_RING = 0x8000000
	IORING_OFF_SQES    = 0x10000000
)

// Flags of the submission ring, in the word at IoSqringOffsets.Flags.
const (
	IORING_SQ_NEED_WAKEUP = 1 << 0
	IORING_SQ_CQ_OVERFLOW = 1 << 1
	IORING_SQ_TASKRUN     = 1 << 2
)

// Flags of io_uring_enter.
const (
	IORING_ENTER_GETEVENTS = 1 << 0
	IORING_ENTER_EXT_ARG   = 1 << 3
)

// Operations of io_uring_register.
const (
	IORING_REGISTER_BUFFERS        = 0
	IORING_UNREGISTER_BUFFERS      = 1
	IORING_REGISTER_FILES          = 2
	IORING_UNREGISTER_FILES        = 3
	IORING_REGISTER_FILES_UPDATE   = 6
	IORING_REGISTER_PROBE          = 8
	IORING_REGISTER_BUFFERS2       = 15
	IORING_REGISTER_BUFFERS_UPDATE = 16
	IORING_REGISTER_SYNC_CANCEL    = 24
	IORING_REGISTER_CLONE_BUFFERS  = 30
)

// IO_URING_OP_SUPPORTED is set in the flags of a probed operation.
const IO_URING_OP_SUPPORTED = 1 << 0

// IORING_RSRC_REGISTER_SPARSE makes a table of empty slots.
const IORING_RSRC_REGISTER_SPARSE = 1 << 0

// IORING_MAX_REG_BUFFERS and IORING_MAX_FIXED_FILES are limits of io_uring/rsrc.c, not
// of the interface.
const (
	IORING_MAX_REG_BUFFERS = 1 << 14
	IORING_MAX_FIXED_FILES = 1 << 20
)

// IoUringSqe is struct io_uring_sqe.
type IoUringSqe struct {
	Opcode   uint8
	Flags    uint8
	Ioprio   uint16
	Fd       int32
	Off      uint64
	Addr     uint64
	Len      uint32
	OpFlags  uint32 // rw_flags, cancel_flags, nop_flags
	UserData uint64
	BufIndex uint16
	// Personality is for the owner of the ring only and stays 0 here.
	Personality uint16
	FileIndex   uint32
	Addr3       uint64
	Pad2        uint64
}

// IoUringCqe is struct io_uring_cqe.
type IoUringCqe struct {
	UserData uint64
	Res      int32
	Flags    uint32
}

// IoUringParams is struct io_uring_params.
type IoUringParams struct {
	SqEntries    uint32
	CqEntries    uint32
	Flags        uint32
	SqThreadCpu  uint32
	SqThreadIdle uint32
	Features     uint32
	WqFd         uint32
	Resv         [3]uint32
	SqOff        IoSqringOffsets
	CqOff        IoCqringOffsets
}

// IoSqringOffsets is struct io_sqring_offsets.
type IoSqringOffsets struct {
	Head, Tail, RingMask, RingEntries, Flags, Dropped, Array, Resv1 uint32
	UserAddr                                                        uint64
}

// IoCqringOffsets is struct io_cqring_offsets.
type IoCqringOffsets struct {
	Head, Tail, RingMask, RingEntries, Overflow, Cqes, Flags, Resv1 uint32
	UserAddr                                                        uint64
}

// IoUringGeteventsArg is struct io_uring_getevents_arg.
type IoUringGeteventsArg struct {
	Sigmask     uint64
	SigmaskSz   uint32
	MinWaitUsec uint32
	Ts          uint64
}

// IoUringRsrcUpdate is struct io_uring_rsrc_update.
type IoUringRsrcUpdate struct {
	Offset, Resv uint32
	Data         uint64
}

// IoUringRsrcUpdate2 is struct io_uring_rsrc_update2.
type IoUringRsrcUpdate2 struct {
	Offset, Resv uint32
	Data, Tags   uint64
	Nr, Resv2    uint32
}

// IoUringRsrcRegister is struct io_uring_rsrc_register.
type IoUringRsrcRegister struct {
	Nr, Flags         uint32
	Resv2, Data, Tags uint64
}

// IoUringProbeOp is struct io_uring_probe_op.
type IoUringProbeOp struct {
	Op, Resv uint8
	Flags    uint16
	Resv2    uint32
}

// IoUringProbe is struct io_uring_probe with room for all operations.
type IoUringProbe struct {
	LastOp, OpsLen uint8
	Resv           uint16
	Resv2          [3]uint32
	Ops            [256]IoUringProbeOp
}

// Iovec is struct iovec with a plain address, which may be wrong on purpose.
type Iovec struct {
	Base uint64
	Len  uint64
}

// IORING_RSRC_F_EXTENDED_UPDATE, in IoUringRsrcUpdate2.Resv, says that the entries of an
// update are IoUringRegBuffer. It is proposed, in RFC v2 of dma-buf backed buffers.
const IORING_RSRC_F_EXTENDED_UPDATE = 1 << 0

// IoUringRegBuffer is struct io_uring_reg_buffer of that proposal.
type IoUringRegBuffer struct {
	IovUaddr           uint64
	TargetFd, DmabufFd int32
}
