//go:build linux

package realring

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"dmasim/internal/simtest"
	"dmasim/internal/uapi"
)

func TestSetup(t *testing.T) {
	r := newRing(t, Options{Entries: 5})
	sq, cq := r.Entries()
	require.Equal(t, 8, sq)
	require.Equal(t, 16, cq)
	ops, err := r.Probe()
	require.NoError(t, err)
	for _, op := range []uint8{uapi.IORING_OP_NOP, uapi.IORING_OP_READ_FIXED, uapi.IORING_OP_WRITE_FIXED,
		uapi.IORING_OP_READ, uapi.IORING_OP_WRITE, uapi.IORING_OP_ASYNC_CANCEL} {
		require.True(t, ops.Has(op), "operation %d", op)
	}
	require.False(t, ops.Has(ops.Last()+1))
	require.False(t, ops.Has(255))
	require.True(t, HasRegister(uapi.IORING_REGISTER_BUFFERS))
	require.False(t, HasRegister(1000))
}

// The variants of a ring that the package can deal with, all at work.
func TestVariants(t *testing.T) {
	for name, flags := range map[string]uint32{
		"plain":         0,
		"submit all":    uapi.IORING_SETUP_SUBMIT_ALL,
		"cooperative":   uapi.IORING_SETUP_COOP_TASKRUN | uapi.IORING_SETUP_TASKRUN_FLAG,
		"single issuer": uapi.IORING_SETUP_SINGLE_ISSUER,
		"deferred":      uapi.IORING_SETUP_SINGLE_ISSUER | uapi.IORING_SETUP_DEFER_TASKRUN,
		"no array":      uapi.IORING_SETUP_NO_SQARRAY,
	} {
		t.Run(name, func(t *testing.T) {
			if r, err := Setup(Options{Entries: 4, Flags: flags}); err != nil && flags != 0 {
				t.Skip(err)
			} else if err == nil {
				require.NoError(t, r.Close())
			}
			r := newRing(t, Options{Entries: 4, Flags: flags})
			in, out := pipe(t)
			buf := memory(t, 4096)
			require.NoError(t, r.Prepare(Read(in, buf.IO.Addr(), 5, 0, 7)))
			n, err := r.Submit()
			require.NoError(t, err)
			require.Equal(t, 1, n)
			_, ok := r.Reap()
			require.False(t, ok)
			unix.Write(out, []byte("hello"))
			c, err := r.Next()
			require.NoError(t, err)
			require.Equal(t, uapi.IoUringCqe{UserData: 7, Res: 5}, uapi.IoUringCqe{UserData: c.UserData, Res: c.Res})
			require.Equal(t, "hello", string(buf.IO.Bytes[:5]))
		})
	}
}

func TestSetupErrors(t *testing.T) {
	newRing(t, Options{Entries: 1})
	for name, c := range map[string]struct {
		o     Options
		errno error
	}{
		"no entries":                    {Options{}, unix.EINVAL},
		"too many":                      {Options{Entries: 32769}, unix.EINVAL},
		"fewer completions":             {Options{Entries: 8, CQEntries: 4}, unix.EINVAL},
		"deferred without single issue": {Options{Entries: 4, Flags: uapi.IORING_SETUP_DEFER_TASKRUN}, unix.EINVAL},
	} {
		r, err := Setup(c.o)
		require.ErrorIs(t, err, c.errno, name)
		require.ErrorContains(t, err, "io_uring_setup of", name)
		require.Nil(t, r)
	}
	r, err := Setup(Options{Entries: 40000, Flags: uapi.IORING_SETUP_CLAMP})
	require.NoError(t, err)
	sq, _ := r.Entries()
	require.Equal(t, 32768, sq)
	require.NoError(t, r.Close())
	_, err = Setup(Options{Entries: 4, Flags: uapi.IORING_SETUP_SQPOLL})
	require.ErrorContains(t, err, "not supported by this package")
}

// Misuse of the Go side: sentences, and no wait without an end.
func TestMisuse(t *testing.T) {
	r := newRing(t, Options{Entries: 2})
	_, err := r.Wait(1)
	require.ErrorIs(t, err, ErrIdle)
	for range 2 {
		require.NoError(t, r.Prepare(Nop(0)))
	}
	require.ErrorIs(t, r.Prepare(Nop(0)), ErrFull)
	_, err = r.Wait(1)
	require.ErrorIs(t, err, ErrIdle, "prepared is not submitted")
	n, err := r.Submit()
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.Equal(t, 2, r.InFlight())
	require.Equal(t, 2, r.Room())
	n, err = r.Submit()
	require.NoError(t, err)
	require.Zero(t, n)

	require.NoError(t, r.Close())
	require.NoError(t, r.Close())
	require.ErrorIs(t, r.Prepare(Nop(0)), errClosed)
	_, err = r.Submit()
	require.ErrorIs(t, err, errClosed)
	_, err = r.Wait(1)
	require.ErrorIs(t, err, errClosed)
	_, ok := r.Reap()
	require.False(t, ok)
	require.ErrorIs(t, r.RegisterBuffers(nil), unix.EBADF)
}

// A wait gives up in time, and what it waited for is still there afterwards.
func TestTimeout(t *testing.T) {
	r := newRing(t, Options{Entries: 4})
	in, out := pipe(t)
	buf := memory(t, 4096)
	require.NoError(t, r.Prepare(Read(in, buf.IO.Addr(), 1, 0, 3)))
	r.Submit()
	start := time.Now()
	_, err := r.WaitTimeout(1, 20*time.Millisecond)
	require.ErrorIs(t, err, unix.ETIME)
	require.ErrorContains(t, err, "wait for 1 completions with 1 in flight")
	require.GreaterOrEqual(t, time.Since(start), 20*time.Millisecond)
	unix.Write(out, []byte("x"))
	n, err := r.WaitTimeout(1, 10*time.Second)
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

func TestCancel(t *testing.T) {
	r := newRing(t, Options{Entries: 4})
	in, _ := pipe(t)
	buf := memory(t, 4096)
	require.Equal(t, neg(unix.ENOENT), do(t, r, Cancel(1, 2)))
	require.NoError(t, r.Prepare(Read(in, buf.IO.Addr(), 1, 0, 1)))
	require.NoError(t, r.Prepare(Cancel(1, 2)))
	r.Submit()
	got := map[uint64]int32{}
	for range 2 {
		c, err := r.Next()
		require.NoError(t, err)
		got[c.UserData] = c.Res
	}
	require.Equal(t, map[uint64]int32{1: neg(unix.ECANCELED), 2: 0}, got)
}

// Close ends what never ends by itself, and leaves no descriptor.
func TestCloseWithRequestsInFlight(t *testing.T) {
	newRing(t, Options{Entries: 1})
	in, _ := pipe(t)
	buf := memory(t, 4096)
	for _, flags := range []uint32{0, uapi.IORING_SETUP_SINGLE_ISSUER | uapi.IORING_SETUP_DEFER_TASKRUN} {
		before := simtest.OpenFds(t)
		r, err := Setup(Options{Entries: 16, Flags: flags})
		if err != nil && flags != 0 {
			t.Log(err)
			continue
		}
		require.NoError(t, err)
		for i := range uint64(16) {
			e := Read(in, buf.IO.Addr(), 1, 0, i)
			if i%2 == 0 {
				e.Flags |= uapi.IOSQE_ASYNC
			}
			require.NoError(t, r.Prepare(e))
		}
		_, err = r.Submit()
		require.NoError(t, err)
		within(t, 60*time.Second, "Close", func() { require.NoError(t, r.Close()) })
		require.Equal(t, before, simtest.OpenFds(t))
	}
}

// With SINGLE_ISSUER the kernel knows the thread.
func TestSingleIssuer(t *testing.T) {
	newRing(t, Options{Entries: 1})
	r, err := Setup(Options{Entries: 4, Flags: uapi.IORING_SETUP_SINGLE_ISSUER})
	if err != nil {
		t.Skip(err)
	}
	defer r.Close()
	require.Zero(t, do(t, r, Nop(1)))
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // any but that of the ring
		done <- r.UnregisterBuffers()
	}()
	require.ErrorIs(t, <-done, unix.EEXIST)
}

// No operation leaves a descriptor behind.
func TestNoLeak(t *testing.T) {
	newRing(t, Options{Entries: 1})
	before := simtest.OpenFds(t)
	for range 50 {
		r, err := Setup(Options{Entries: 4})
		require.NoError(t, err)
		require.NoError(t, r.RegisterFiles([]int32{0, -1}))
		require.NoError(t, r.RegisterBuffers([]uapi.Iovec{{}}))
		require.Zero(t, do(t, r, Nop(1)))
		require.NoError(t, r.Close())
	}
	require.Equal(t, before, simtest.OpenFds(t))
}
