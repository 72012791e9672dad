package kernel

// BlkStatus is blk_status_t (include/linux/blk_types.h).
type BlkStatus uint8

const (
	BLK_STS_OK BlkStatus = iota
	BLK_STS_NOTSUPP
	BLK_STS_NOSPC
	BLK_STS_RESOURCE // no resource now: the request is tried again
	BLK_STS_IOERR
	BLK_STS_AGAIN // would block, and may not
	BLK_STS_INVAL
	BLK_STS_TARGET
	BLK_STS_DEV_RESOURCE // no resource of the device now: its next completion will free one
	BLK_STS_TIMEOUT
	BLK_STS_TRANSPORT // the path failed, not the device
	BLK_STS_RESV_CONFLICT
	BLK_STS_MEDIUM
	BLK_STS_PROTECTION
	BLK_STS_OFFLINE
	BLK_STS_DURATION_LIMIT
)

var blkStatuses = [...]struct {
	name  string
	errno Errno
}{
	BLK_STS_OK:       {"BLK_STS_OK", OK},
	BLK_STS_NOTSUPP:  {"BLK_STS_NOTSUPP", EOPNOTSUPP},
	BLK_STS_NOSPC:    {"BLK_STS_NOSPC", ENOSPC},
	BLK_STS_RESOURCE: {"BLK_STS_RESOURCE", ENOMEM},
	BLK_STS_IOERR:    {"BLK_STS_IOERR", EIO},
	BLK_STS_AGAIN:    {"BLK_STS_AGAIN", EAGAIN},
	BLK_STS_INVAL:    {"BLK_STS_INVAL", EINVAL},
	BLK_STS_TARGET:   {"BLK_STS_TARGET", EREMOTEIO},

	BLK_STS_DEV_RESOURCE:   {"BLK_STS_DEV_RESOURCE", EBUSY},
	BLK_STS_TIMEOUT:        {"BLK_STS_TIMEOUT", ETIMEDOUT},
	BLK_STS_TRANSPORT:      {"BLK_STS_TRANSPORT", ENOLINK},
	BLK_STS_RESV_CONFLICT:  {"BLK_STS_RESV_CONFLICT", EBADE},
	BLK_STS_MEDIUM:         {"BLK_STS_MEDIUM", ENODATA},
	BLK_STS_PROTECTION:     {"BLK_STS_PROTECTION", EILSEQ},
	BLK_STS_OFFLINE:        {"BLK_STS_OFFLINE", ENODEV},
	BLK_STS_DURATION_LIMIT: {"BLK_STS_DURATION_LIMIT", ETIME},
}

func (s BlkStatus) String() string { return blkStatuses[s].name }

// Errno is blk_status_to_errno.
func (s BlkStatus) Errno() Errno { return blkStatuses[s].errno }

// BlkStatusOf is errno_to_blk_status: an errno without a status of its own is an I/O
// error.
func BlkStatusOf(e Errno) BlkStatus {
	for s, i := range blkStatuses {
		if i.errno == e {
			return BlkStatus(s)
		}
	}
	return BLK_STS_IOERR
}
