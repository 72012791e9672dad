//go:build linux

package realring

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"dmasim/internal/uapi"
)

// Options are the arguments of io_uring_setup.
type Options struct {
	// Entries is the size of the submission ring; the kernel rounds it up to a power of
	// two.
	Entries uint32
	// CQEntries is the size of the completion ring; 0 is twice the submission ring.
	CQEntries uint32
	// Flags are IORING_SETUP_*.
	Flags uint32
}

// known are the flags that the package can deal with.
const known = uapi.IORING_SETUP_CQSIZE | uapi.IORING_SETUP_CLAMP | uapi.IORING_SETUP_SUBMIT_ALL |
	uapi.IORING_SETUP_COOP_TASKRUN | uapi.IORING_SETUP_TASKRUN_FLAG | uapi.IORING_SETUP_SINGLE_ISSUER |
	uapi.IORING_SETUP_DEFER_TASKRUN | uapi.IORING_SETUP_NO_SQARRAY

// needed are the features without which it does not work; 5.5 has them.
const needed = uapi.IORING_FEAT_SINGLE_MMAP | uapi.IORING_FEAT_NODROP | uapi.IORING_FEAT_SUBMIT_STABLE

// Ring is one io_uring instance. It is used by one goroutine.
type Ring struct {
	fd     int
	params uapi.IoUringParams
	sq     submission
	cq     completion
	// inFlight counts the entries that the kernel consumed and whose completion was not
	// reaped.
	inFlight int
	// bound tells that the goroutine is locked to its thread.
	bound  bool
	closed bool
	// timeout is what io_uring_enter points at; it is here because memory of the heap
	// does not move.
	timeout struct {
		arg uapi.IoUringGeteventsArg
		ts  unix.Timespec
	}
}

// Setup makes a ring and maps it.
func Setup(o Options) (*Ring, error) {
	if more := o.Flags &^ known; more != 0 {
		return nil, fmt.Errorf("io_uring_setup: flags %#x are not supported by this package", more)
	}
	r := &Ring{fd: -1}
	r.params.Flags = o.Flags
	if o.CQEntries != 0 {
		r.params.CqEntries = o.CQEntries
		r.params.Flags |= uapi.IORING_SETUP_CQSIZE
	}
	if r.params.Flags&(uapi.IORING_SETUP_SINGLE_ISSUER|uapi.IORING_SETUP_DEFER_TASKRUN) != 0 {
		runtime.LockOSThread()
		r.bound = true
	}
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, uintptr(o.Entries), uintptr(unsafe.Pointer(&r.params)), 0)
	if errno != 0 {
		r.release()
		return nil, &uapi.Error{
			Call:  fmt.Sprintf("io_uring_setup of %d entries, flags %#x", o.Entries, r.params.Flags),
			Errno: errno, Why: refused(errno),
		}
	}
	r.fd = int(fd)
	if missing := needed &^ r.params.Features; missing != 0 {
		r.release()
		return nil, fmt.Errorf("io_uring_setup: the kernel's io_uring lacks features %#x; 5.5 or newer is needed", missing)
	}
	if err := r.mmap(); err != nil {
		r.release()
		return nil, err
	}
	return r, nil
}

// refused says what an errno of io_uring_setup means.
func refused(errno syscall.Errno) string {
	switch errno {
	case unix.ENOSYS:
		return "the kernel has no io_uring, or a seccomp filter hides it"
	case unix.EPERM, unix.EACCES:
		return "a seccomp filter, or /proc/sys/kernel/io_uring_disabled, does not allow io_uring"
	case unix.ENOMEM:
		return "the limit of locked memory (RLIMIT_MEMLOCK) may be too low"
	case unix.EMFILE, unix.ENFILE:
		return "too many open files"
	}
	return ""
}

// mmap maps both rings, which are one mapping, and the submission entries.
func (r *Ring) mmap() error {
	p := &r.params
	size := max(p.CqOff.Cqes+p.CqEntries*uint32(unsafe.Sizeof(uapi.IoUringCqe{})), p.SqOff.Array+p.SqEntries*4)
	rings, err := r.mapAt(uapi.IORING_OFF_SQ_RING, int(size), "the rings")
	if err != nil {
		return err
	}
	r.sq.ring = rings
	sqes, err := r.mapAt(uapi.IORING_OFF_SQES, int(p.SqEntries)*int(unsafe.Sizeof(uapi.IoUringSqe{})), "the submission entries")
	if err != nil {
		return err
	}
	r.sq.init(rings, sqes, p)
	r.cq.init(rings, p)
	return nil
}

func (r *Ring) mapAt(offset int64, size int, what string) ([]byte, error) {
	mem, err := unix.Mmap(r.fd, offset, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		errno, _ := err.(syscall.Errno)
		return nil, &uapi.Error{Call: fmt.Sprintf("mmap of %s, %d bytes", what, size), Errno: errno, Why: refused(errno)}
	}
	return mem, nil
}

// Fd is the descriptor of the ring.
func (r *Ring) Fd() int { return r.fd }

// Features are IORING_FEAT_*.
func (r *Ring) Features() uint32 { return r.params.Features }

// Entries are the sizes of the submission and of the completion ring.
func (r *Ring) Entries() (sq, cq int) { return int(r.params.SqEntries), int(r.params.CqEntries) }

// InFlight counts the requests that the kernel has and whose completion was not reaped.
func (r *Ring) InFlight() int { return r.inFlight }

// How long Close waits for requests that cannot be cancelled, and how long it waits
// between two attempts to cancel. One attempt is not enough: a request that is between
// two places where the kernel looks (on its way to a worker, or about to arm a poll) is
// found by none.
const (
	patience = 30 * time.Second
	retry    = 20 * time.Millisecond
)

// Close cancels what is in flight, waits for it, and takes the ring down. Afterwards the
// kernel uses no memory of its requests any more; if it could not be waited for, Close
// says so, and the memory must stay. Entries that were not submitted are dropped.
func (r *Ring) Close() error {
	if r.closed {
		return nil
	}
	var err error
	if r.inFlight > 0 {
		err = r.quiesce()
	}
	return errors.Join(err, r.release())
}

func (r *Ring) quiesce() error {
	for until := time.Now().Add(patience); r.inFlight > 0; {
		if _, ok := r.Reap(); ok {
			continue
		}
		// The result does not matter: what cannot be cancelled ends by itself.
		r.SyncCancelAny(0)
		_, err := r.WaitTimeout(1, retry)
		if err != nil && !(errors.Is(err, unix.ETIME) && time.Now().Before(until)) {
			return fmt.Errorf("closing a ring with %d requests in flight, whose memory is still in use: %w", r.inFlight, err)
		}
	}
	return nil
}

func (r *Ring) release() error {
	r.closed = true
	var err error
	for _, mem := range [][]byte{r.sq.ring, r.sq.entries} {
		if mem != nil {
			err = errors.Join(err, unix.Munmap(mem))
		}
	}
	r.sq, r.cq = submission{}, completion{}
	if r.fd >= 0 {
		err = errors.Join(err, unix.Close(r.fd))
		r.fd = -1
	}
	if r.bound {
		r.bound = false
		runtime.UnlockOSThread()
	}
	return err
}
