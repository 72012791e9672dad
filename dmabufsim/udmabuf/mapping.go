//go:build linux

package udmabuf

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Mapping is memory of a descriptor in the address space, between two guard pages. It is
// not Go's, so its address is good until Close.
type Mapping struct {
	// Bytes is the memory.
	Bytes []byte
	// around is Bytes with the guard pages.
	around []byte
}

// Map maps size bytes of a descriptor from offset, shared.
func Map(fd int, offset int64, size, prot int) (*Mapping, error) {
	page := os.Getpagesize()
	whole := (size + page - 1) &^ (page - 1)
	around, err := unix.Mmap(-1, 0, whole+2*page, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return nil, failed(err, "mmap of %d bytes of address space", whole+2*page)
	}
	at := unsafe.Pointer(&around[page])
	if _, err := unix.MmapPtr(fd, offset, at, uintptr(size), prot, unix.MAP_SHARED|unix.MAP_FIXED); err != nil {
		unix.Munmap(around)
		return nil, failed(err, "mmap of %d bytes at offset %d, protection %#x", size, offset, prot)
	}
	return &Mapping{Bytes: unsafe.Slice((*byte)(at), size), around: around}, nil
}

// Addr is the address of the first byte, as the kernel is told it.
func (m *Mapping) Addr() uint64 { return uint64(uintptr(unsafe.Pointer(&m.Bytes[0]))) }

// Close unmaps it.
func (m *Mapping) Close() error {
	if m.around == nil {
		return nil
	}
	err := unix.Munmap(m.around)
	m.around, m.Bytes = nil, nil
	return failed(err, "munmap")
}
