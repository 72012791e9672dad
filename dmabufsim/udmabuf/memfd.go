//go:build linux

package udmabuf

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"

	"dmasim/internal/uapi"
)

// Memfd is anonymous memory with a descriptor.
type Memfd struct {
	fd   int
	size int
}

// NewMemfd makes a memfd of size bytes that has only the seals given: F_SEAL_SHRINK is
// what a udmabuf needs. flags go to memfd_create beside MFD_CLOEXEC and
// MFD_ALLOW_SEALING.
func NewMemfd(size, flags, seals int) (*Memfd, error) {
	flags |= unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate("dmasim", flags)
	if err == unix.EACCES { // vm.memfd_noexec=2 wants it said
		fd, err = unix.MemfdCreate("dmasim", flags|unix.MFD_NOEXEC_SEAL)
	}
	if err != nil {
		return nil, failed(err, "memfd_create, flags %#x", flags)
	}
	m := &Memfd{fd, size}
	if err := unix.Ftruncate(fd, int64(size)); err != nil {
		m.Close()
		return nil, failed(err, "ftruncate of a memfd to %d bytes", size)
	}
	if err := m.Seal(seals); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// Fd is the descriptor.
func (m *Memfd) Fd() int { return m.fd }

// Size is in bytes.
func (m *Memfd) Size() int { return m.size }

// Seal adds seals, F_SEAL_*; they cannot be taken back.
func (m *Memfd) Seal(seals int) error {
	if seals == 0 {
		return nil
	}
	_, err := unix.FcntlInt(uintptr(m.fd), unix.F_ADD_SEALS, seals)
	return failed(err, "F_ADD_SEALS %#x on a memfd", seals)
}

// Map maps all of it, shared.
func (m *Memfd) Map(prot int) (*Mapping, error) { return Map(m.fd, 0, m.size, prot) }

// Close closes the descriptor; the memory lives as long as mappings, registrations and
// dma-bufs of it.
func (m *Memfd) Close() error {
	if m.fd < 0 {
		return nil
	}
	err := unix.Close(m.fd)
	m.fd = -1
	return failed(err, "close of a memfd")
}

// failed is the Error of what was attempted, or nil.
func failed(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	if errno, ok := err.(syscall.Errno); ok {
		return uapi.Fail(errno, format, args...)
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}
