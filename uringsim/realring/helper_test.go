//go:build linux

package realring

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"dmasim/dmabufsim/udmabuf"
	"dmasim/internal/uapi"
)

// newRing makes a ring that the test closes, or skips where there is no io_uring.
func newRing(t testing.TB, o Options) *Ring {
	t.Helper()
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit); limit.Cur < 1<<20 && os.Geteuid() != 0 {
		t.Skipf("RLIMIT_MEMLOCK is %d bytes, too few for rings and their buffers", limit.Cur)
	}
	r, err := Setup(o)
	for _, missing := range []error{unix.ENOSYS, unix.EPERM, unix.EACCES} {
		if errors.Is(err, missing) {
			t.Skip(err)
		}
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

// memory is a mapped memfd.
func memory(t testing.TB, size int) *udmabuf.Buffer {
	t.Helper()
	b, err := udmabuf.NewBuffer(nil, size)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

func vec(b *udmabuf.Buffer) uapi.Iovec {
	return uapi.Iovec{Base: b.IO.Addr(), Len: uint64(len(b.IO.Bytes))}
}

// table makes the table, or skips where the limit of locked memory is too low.
func table(t testing.TB, r *Ring, bufs ...uapi.Iovec) {
	t.Helper()
	err := r.RegisterBuffers(bufs)
	if errors.Is(err, unix.ENOMEM) {
		t.Skip(err)
	}
	require.NoError(t, err)
}

// do runs one request to its end and returns its result.
func do(t testing.TB, r *Ring, e uapi.IoUringSqe) int32 {
	t.Helper()
	c, err := r.Do(e)
	require.NoError(t, err)
	require.Equal(t, e.UserData, c.UserData)
	return c.Res
}

// neg is the result of a request that failed.
func neg(e unix.Errno) int32 { return -int32(e) }

// pipe is a pipe whose ends are closed at the end of the test.
func pipe(t testing.TB) (read, write int) {
	t.Helper()
	var p [2]int
	require.NoError(t, unix.Pipe2(p[:], unix.O_CLOEXEC))
	t.Cleanup(func() { unix.Close(p[0]); unix.Close(p[1]) })
	return p[0], p[1]
}

// file is an open file of size bytes that is gone from its folder already.
func file(t testing.TB, size, flags int) int {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, make([]byte, size), 0o600))
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_CLOEXEC|flags, 0)
	if flags != 0 && err == unix.EINVAL {
		t.Skip("the file system of the temporary folder has no O_DIRECT")
	}
	require.NoError(t, err)
	require.NoError(t, os.Remove(name))
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// within fails the test if fn takes longer, so that a hanging ring gives a sentence.
func within(t *testing.T, d time.Duration, what string, fn func()) {
	t.Helper()
	timer := time.AfterFunc(d, func() { panic(what + " hangs") })
	defer timer.Stop()
	fn()
}
