package kernel

import "strconv"

// Errno is an error number of include/uapi/asm-generic/errno*.h or
// include/linux/errno.h, positive; 0 is success. It prints as kernel developers
// write it: "-EAGAIN".
type Errno int32

const (
	OK          Errno = 0
	ENOENT      Errno = 2
	ESRCH       Errno = 3
	EINTR       Errno = 4
	EIO         Errno = 5
	ENXIO       Errno = 6
	EBADF       Errno = 9
	EAGAIN      Errno = 11
	ENOMEM      Errno = 12
	EACCES      Errno = 13
	EFAULT      Errno = 14
	EBUSY       Errno = 16
	EEXIST      Errno = 17
	ENODEV      Errno = 19
	EINVAL      Errno = 22
	EMFILE      Errno = 24
	ENOTTY      Errno = 25
	ENOSPC      Errno = 28
	ESPIPE      Errno = 29
	EDEADLK     Errno = 35
	EBADE       Errno = 52
	EBADR       Errno = 53
	ENODATA     Errno = 61
	ETIME       Errno = 62
	ENOLINK     Errno = 67
	EOVERFLOW   Errno = 75
	EBADFD      Errno = 77
	EILSEQ      Errno = 84
	EOPNOTSUPP  Errno = 95
	ETIMEDOUT   Errno = 110
	EALREADY    Errno = 114
	EREMOTEIO   Errno = 121
	ECANCELED   Errno = 125
	EOWNERDEAD  Errno = 130
	ERESTARTSYS Errno = 512 // never leaves the kernel
	EIOCBQUEUED Errno = 529 // the completion callback will be called
)

var errnoNames = map[Errno]string{
	ENOENT: "ENOENT", ESRCH: "ESRCH", EINTR: "EINTR", EIO: "EIO", ETIMEDOUT: "ETIMEDOUT", EILSEQ: "EILSEQ", ENOLINK: "ENOLINK", ENODATA: "ENODATA", EBADE: "EBADE", ENXIO: "ENXIO", EBADF: "EBADF", EAGAIN: "EAGAIN", ENOMEM: "ENOMEM", EFAULT: "EFAULT",
	EBUSY: "EBUSY", ENODEV: "ENODEV", EINVAL: "EINVAL", ENOSPC: "ENOSPC", EDEADLK: "EDEADLK", ETIME: "ETIME",
	EOVERFLOW: "EOVERFLOW", EOPNOTSUPP: "EOPNOTSUPP", EALREADY: "EALREADY", EREMOTEIO: "EREMOTEIO",
	EACCES: "EACCES", EEXIST: "EEXIST", EBADR: "EBADR", ECANCELED: "ECANCELED", EOWNERDEAD: "EOWNERDEAD",
	EMFILE: "EMFILE", ENOTTY: "ENOTTY", ESPIPE: "ESPIPE", EBADFD: "EBADFD", ERESTARTSYS: "ERESTARTSYS", EIOCBQUEUED: "EIOCBQUEUED",
}

func (e Errno) String() string {
	if e == OK {
		return "0"
	}
	if n, ok := errnoNames[e]; ok {
		return "-" + n
	}
	return strconv.Itoa(-int(e))
}

func (e Errno) Error() string { return e.String() }
