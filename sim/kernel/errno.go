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
	EFAULT      Errno = 14
	EBUSY       Errno = 16
	ENODEV      Errno = 19
	EINVAL      Errno = 22
	ENOSPC      Errno = 28
	EDEADLK     Errno = 35
	ETIME       Errno = 62
	EOVERFLOW   Errno = 75
	EOPNOTSUPP  Errno = 95
	EALREADY    Errno = 114
	EREMOTEIO   Errno = 121
	ERESTARTSYS Errno = 512 // never leaves the kernel
	EIOCBQUEUED Errno = 529 // the completion callback will be called
)

var errnoNames = map[Errno]string{
	ENOENT: "ENOENT", ESRCH: "ESRCH", EINTR: "EINTR", EIO: "EIO", ENXIO: "ENXIO", EBADF: "EBADF", EAGAIN: "EAGAIN", ENOMEM: "ENOMEM", EFAULT: "EFAULT",
	EBUSY: "EBUSY", ENODEV: "ENODEV", EINVAL: "EINVAL", ENOSPC: "ENOSPC", EDEADLK: "EDEADLK", ETIME: "ETIME",
	EOVERFLOW: "EOVERFLOW", EOPNOTSUPP: "EOPNOTSUPP", EALREADY: "EALREADY", EREMOTEIO: "EREMOTEIO",
	ERESTARTSYS: "ERESTARTSYS", EIOCBQUEUED: "EIOCBQUEUED",
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
