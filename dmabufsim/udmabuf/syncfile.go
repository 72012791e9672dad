//go:build linux

package udmabuf

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"dmasim/internal/uapi"
)

// SyncFile is a descriptor of fences.
type SyncFile struct{ fd int }

// Fd is the descriptor.
func (s *SyncFile) Fd() int { return s.fd }

// Status is SYNC_IOC_FILE_INFO: 1 when all fences have signalled, 0 while one has not, a
// negative errno after an error; and the number of fences.
func (s *SyncFile) Status() (status, fences int, err error) {
	info := &uapi.SyncFileInfo{}
	if _, errno := ioctl(s.fd, uapi.SYNC_IOC_FILE_INFO, unsafe.Pointer(info)); errno != 0 {
		return 0, 0, uapi.Fail(errno, "SYNC_IOC_FILE_INFO")
	}
	return int(info.Status), int(info.NumFences), nil
}

// Wait waits until all fences have signalled, but no longer than d, and tells whether
// they have.
func (s *SyncFile) Wait(d time.Duration) (bool, error) {
	until := time.Now().Add(d)
	for {
		p := []unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}}
		n, err := unix.Poll(p, int(max(time.Until(until), 0).Milliseconds()))
		if err != unix.EINTR {
			return n > 0, failed(err, "poll of a sync_file")
		}
	}
}

// Close closes the descriptor.
func (s *SyncFile) Close() error {
	if s.fd < 0 {
		return nil
	}
	err := unix.Close(s.fd)
	s.fd = -1
	return failed(err, "close of a sync_file")
}
