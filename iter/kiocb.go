package iter

import "dmasim/sim/kernel"

// Flags of one read or write, as a user passes them. Those of kiocbs have the same
// values.
const (
	RWF_HIPRI     = 1 << 0
	RWF_DSYNC     = 1 << 1
	RWF_SYNC      = 1 << 2
	RWF_NOWAIT    = 1 << 3
	RWF_APPEND    = 1 << 4
	RWF_NOAPPEND  = 1 << 5
	RWF_ATOMIC    = 1 << 6
	RWF_SUPPORTED = 1<<7 - 1
)

// Flags of kiocbs.
const (
	// IOCB_HIPRI: the caller polls for the completion.
	IOCB_HIPRI = RWF_HIPRI
	IOCB_DSYNC = RWF_DSYNC
	IOCB_SYNC  = RWF_SYNC
	// IOCB_NOWAIT: do not block, return -EAGAIN.
	IOCB_NOWAIT = RWF_NOWAIT
	IOCB_APPEND = RWF_APPEND
	IOCB_ATOMIC = RWF_ATOMIC

	IOCB_EVENTFD = 1 << 16
	// IOCB_DIRECT: the file has O_DIRECT.
	IOCB_DIRECT = 1 << 17
	// IOCB_WRITE: the I/O is a write.
	IOCB_WRITE = 1 << 18
	// IOCB_WAITQ: a buffered read waits with a callback and not by sleeping.
	IOCB_WAITQ = 1 << 19
	IOCB_NOIO  = 1 << 20
	// IOCB_ALLOC_CACHE: the bio may come from a cache.
	IOCB_ALLOC_CACHE = 1 << 21
	// IOCB_DIO_CALLER_COMP: what is left to do after completion is done by the issuer.
	IOCB_DIO_CALLER_COMP = 1 << 22
	IOCB_AIO_RW          = 1 << 23
)

// Kiocb is struct kiocb: one read or write.
type Kiocb struct {
	File *File
	// Pos is the position in the file, in bytes.
	Pos   int64
	Flags uint32
	// Complete is ki_complete: called once, in any context, with the number of bytes
	// or a negative errno. A kiocb without it is synchronous.
	Complete func(t *kernel.Task, res int64)
	// Private belongs to the file while the I/O is under way: a block device keeps the bio
	// there that is polled for.
	Private any
}

// Nowait tells whether the kiocb may not block.
func (k *Kiocb) Nowait() bool { return k.Flags&IOCB_NOWAIT != 0 }

// Sync is is_sync_kiocb: the caller waits for the result.
func (k *Kiocb) Sync() bool { return k.Complete == nil }

// IocbFlags is iocb_flags: the flags that each kiocb of the file begins with. It belongs to the
// operation that was granted last.
func (f *File) IocbFlags(t *kernel.Task) uint32 {
	f.look(t)
	flags := uint32(0)
	if f.Flags&O_APPEND != 0 {
		flags |= IOCB_APPEND
	}
	if f.Flags&O_DIRECT != 0 {
		flags |= IOCB_DIRECT
	}
	if f.Flags&O_DSYNC != 0 {
		flags |= IOCB_DSYNC
	}
	if f.Flags&(O_SYNC&^O_DSYNC) != 0 {
		flags |= IOCB_SYNC
	}
	return flags
}

// SetRWFlags is kiocb_set_rw_flags: adds what the user asks for. Only flags up to
// RWF_ATOMIC are known.
func (k *Kiocb) SetRWFlags(rwf uint32, write bool) kernel.Errno {
	switch mode := k.File.Mode; {
	case rwf&^RWF_SUPPORTED != 0:
		return kernel.EOPNOTSUPP
	case rwf&RWF_APPEND != 0 && rwf&RWF_NOAPPEND != 0:
		return kernel.EINVAL
	case rwf&RWF_NOWAIT != 0 && mode&FMODE_NOWAIT == 0,
		rwf&RWF_ATOMIC != 0 && (!write || mode&FMODE_CAN_ATOMIC_WRITE == 0):
		return kernel.EOPNOTSUPP
	}
	if rwf&RWF_SYNC != 0 {
		rwf |= RWF_DSYNC
	}
	if rwf&RWF_NOAPPEND != 0 {
		k.Flags &^= IOCB_APPEND
	}
	k.Flags |= rwf
	return kernel.OK
}

// Neg is an errno as functions return it among counts.
func Neg(e kernel.Errno) int64 { return -int64(e) }
