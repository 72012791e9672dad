//go:build linux

package realring

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"dmasim/internal/uapi"
)

// ErrFull says that the submission ring has no free entry: submit first.
var ErrFull = errors.New("the submission ring is full")

// ErrIdle says that a wait would never end, for there are not so many requests in flight.
var ErrIdle = errors.New("not so many requests in flight")

// Prepare puts an entry into the submission ring. The kernel sees it after Submit.
func (r *Ring) Prepare(e uapi.IoUringSqe) error {
	if r.closed {
		return errClosed
	}
	if r.sq.room() == 0 {
		return ErrFull
	}
	r.sq.sqes[r.sq.next&r.sq.mask] = e
	r.sq.next++
	return nil
}

var errClosed = errors.New("the ring is closed")

// Room counts the entries that can be prepared before the next Submit.
func (r *Ring) Room() int { return r.sq.room() }

// Submit gives the prepared entries to the kernel and returns how many it took, which is
// all of them unless there is an error. An entry with something wrong in it is taken, and
// answered by a completion.
func (r *Ring) Submit() (int, error) {
	if r.closed {
		return 0, errClosed
	}
	r.sq.publish()
	total := 0
	for {
		n := r.sq.pending()
		if n == 0 {
			return total, nil
		}
		errno := r.enter(n, 0, 0, nil)
		took := r.account()
		total += took
		switch {
		case errno == unix.EINTR:
		case errno != 0:
			why := ""
			if errno == unix.EBUSY || errno == unix.EAGAIN {
				why = "reap completions first"
			}
			return total, &uapi.Error{Call: fmt.Sprintf("io_uring_enter to submit %d entries", n), Errno: errno, Why: why}
		case took == 0:
			return total, fmt.Errorf("io_uring_enter took none of %d entries; %d were invalid", n, atomic.LoadUint32(r.sq.dropped))
		}
	}
}

func (r *Ring) account() int {
	took := r.sq.consumed()
	r.inFlight += took
	return took
}

// Wait waits until n completions can be reaped, or as many as the completion ring has
// room for, and returns how many there are.
func (r *Ring) Wait(n int) (int, error) { return r.wait(n, time.Time{}) }

// WaitTimeout is Wait that gives up with ETIME.
func (r *Ring) WaitTimeout(n int, d time.Duration) (int, error) {
	if r.params.Features&uapi.IORING_FEAT_EXT_ARG == 0 {
		return 0, errors.New("io_uring_enter: the kernel's io_uring has no timeouts; 5.11 or newer is needed")
	}
	return r.wait(n, time.Now().Add(d))
}

func (r *Ring) wait(n int, until time.Time) (int, error) {
	if r.closed {
		return 0, errClosed
	}
	n = min(n, len(r.cq.cqes))
	if n > r.inFlight {
		return r.cq.ready(), fmt.Errorf("waiting for %d completions: %w (%d are)", n, ErrIdle, r.inFlight)
	}
	for {
		ready := r.cq.ready()
		if ready >= n {
			return ready, nil
		}
		ts := r.deadline(until)
		errno := r.enter(0, uint32(n), uapi.IORING_ENTER_GETEVENTS, ts)
		switch errno {
		case 0, unix.EINTR: // also after a signal the result may be 0 without a completion
		case unix.ETIME:
			if ready := r.cq.ready(); ready >= n {
				return ready, nil
			}
			if time.Now().Before(until) {
				continue
			}
			fallthrough
		default:
			return r.cq.ready(), &uapi.Error{
				Call:  fmt.Sprintf("io_uring_enter to wait for %d completions with %d in flight", n, r.inFlight),
				Errno: errno, Why: lost(errno),
			}
		}
	}
}

func lost(errno syscall.Errno) string {
	if errno == unix.EBADR {
		return "the kernel had no memory for completions and dropped some"
	}
	return ""
}

// deadline fills in the timeout of the next io_uring_enter; nil is for ever.
func (r *Ring) deadline(until time.Time) *uapi.IoUringGeteventsArg {
	if until.IsZero() {
		return nil
	}
	r.timeout.ts = unix.NsecToTimespec(max(int64(time.Until(until)), 0))
	r.timeout.arg = uapi.IoUringGeteventsArg{Ts: uint64(uintptr(unsafe.Pointer(&r.timeout.ts)))}
	return &r.timeout.arg
}

// Reap takes the oldest completion, if there is one. It does not wait, but enters the
// kernel if that has completions which are not in the ring.
func (r *Ring) Reap() (uapi.IoUringCqe, bool) {
	if r.closed {
		return uapi.IoUringCqe{}, false
	}
	if r.cq.ready() == 0 && r.withheld() {
		r.enter(0, 0, uapi.IORING_ENTER_GETEVENTS, nil) // an error shows in the next Wait
	}
	c, ok := r.cq.take()
	if ok {
		r.inFlight--
	}
	return c, ok
}

// withheld tells whether the kernel keeps completions until somebody enters: an
// overflow, or task work that was deferred.
func (r *Ring) withheld() bool {
	return atomic.LoadUint32(r.sq.flags)&(uapi.IORING_SQ_CQ_OVERFLOW|uapi.IORING_SQ_TASKRUN) != 0 ||
		r.params.Flags&uapi.IORING_SETUP_DEFER_TASKRUN != 0 && r.inFlight > 0
}

// Overflowing tells whether completions wait in the kernel because the completion ring
// was full.
func (r *Ring) Overflowing() bool {
	return !r.closed && atomic.LoadUint32(r.sq.flags)&uapi.IORING_SQ_CQ_OVERFLOW != 0
}

// Next waits for a completion and takes it.
func (r *Ring) Next() (uapi.IoUringCqe, error) {
	if _, err := r.Wait(1); err != nil {
		return uapi.IoUringCqe{}, err
	}
	c, _ := r.Reap()
	return c, nil
}

// Do submits one request and waits for its completion, with nothing else in flight.
func (r *Ring) Do(e uapi.IoUringSqe) (uapi.IoUringCqe, error) {
	if err := r.Prepare(e); err != nil {
		return uapi.IoUringCqe{}, err
	}
	if _, err := r.Submit(); err != nil {
		return uapi.IoUringCqe{}, err
	}
	return r.Next()
}

// enter is io_uring_enter. What it did is read from the rings, not from its result.
func (r *Ring) enter(submit, min, flags uint32, arg *uapi.IoUringGeteventsArg) syscall.Errno {
	var size uintptr
	if arg != nil {
		flags |= uapi.IORING_ENTER_EXT_ARG
		size = unsafe.Sizeof(*arg)
	}
	_, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(r.fd), uintptr(submit), uintptr(min), uintptr(flags),
		uintptr(unsafe.Pointer(arg)), size)
	runtime.KeepAlive(r)
	return errno
}
