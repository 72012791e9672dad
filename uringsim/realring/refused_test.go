//go:build linux

package realring

import (
	"runtime"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A seccomp filter that refuses io_uring gives a sentence. The filter is for a thread
// that is thrown away.
func TestSeccomp(t *testing.T) {
	for _, c := range []struct {
		errno    unix.Errno
		sentence string
	}{
		{unix.EPERM, "does not allow io_uring"},
		{unix.ENOSYS, "has no io_uring, or a seccomp filter hides it"},
	} {
		done := make(chan error)
		filtered := make(chan error, 1)
		go func() {
			runtime.LockOSThread()
			if err := refuse(unix.SYS_IO_URING_SETUP, c.errno); err != nil {
				filtered <- err
				return
			}
			filtered <- nil
			_, err := Setup(Options{Entries: 4})
			done <- err
		}()
		if err := <-filtered; err != nil {
			t.Skip("no seccomp filters: ", err)
		}
		err := <-done
		require.ErrorIs(t, err, c.errno)
		require.ErrorContains(t, err, c.sentence)
	}
}

// refuse has the calling thread answered errno to a system call.
func refuse(nr uint32, errno unix.Errno) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	const retErrno, retAllow = 0x00050000, 0x7fff0000
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // seccomp_data.nr
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: nr},
		{Code: unix.BPF_RET | unix.BPF_K, K: retErrno | uint32(errno)},
		{Code: unix.BPF_RET | unix.BPF_K, K: retAllow},
	}
	prog := &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(prog)), 0, 0)
}
