//go:build linux

package udmabuf

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"dmasim/internal/uapi"
)

// DmaBuf is a real dma-buf.
type DmaBuf struct {
	fd   int
	size int
}

// Fd is the descriptor.
func (b *DmaBuf) Fd() int { return b.fd }

// Size is what the kernel says: where the end is for lseek.
func (b *DmaBuf) Size() (int, error) {
	n, err := unix.Seek(b.fd, 0, unix.SEEK_END)
	return int(n), failed(err, "lseek to the end of a dma-buf")
}

// Map maps all of it, shared.
func (b *DmaBuf) Map(prot int) (*Mapping, error) { return Map(b.fd, 0, b.size, prot) }

// Sync is DMA_BUF_IOCTL_SYNC with DMA_BUF_SYNC_* flags. Starting waits for fences.
func (b *DmaBuf) Sync(flags uint64) error {
	arg := &uapi.DmaBufSync{Flags: flags}
	_, errno := ioctl(b.fd, uapi.DMA_BUF_IOCTL_SYNC, unsafe.Pointer(arg))
	for errno == unix.EAGAIN {
		_, errno = ioctl(b.fd, uapi.DMA_BUF_IOCTL_SYNC, unsafe.Pointer(arg))
	}
	return uapi.Fail(errno, "DMA_BUF_IOCTL_SYNC, flags %#x", flags)
}

// ExportSyncFile is DMA_BUF_IOCTL_EXPORT_SYNC_FILE: the fences that an access for
// DMA_BUF_SYNC_READ or WRITE has to wait for.
func (b *DmaBuf) ExportSyncFile(flags uint32) (*SyncFile, error) {
	arg := &uapi.DmaBufExportSyncFile{Flags: flags, Fd: -1}
	if _, errno := ioctl(b.fd, uapi.DMA_BUF_IOCTL_EXPORT_SYNC_FILE, unsafe.Pointer(arg)); errno != 0 {
		return nil, uapi.Fail(errno, "DMA_BUF_IOCTL_EXPORT_SYNC_FILE, flags %#x", flags)
	}
	return &SyncFile{int(arg.Fd)}, nil
}

// ImportSyncFile is DMA_BUF_IOCTL_IMPORT_SYNC_FILE: adds the fences of the sync_file with
// that descriptor, as those of a reader or a writer.
func (b *DmaBuf) ImportSyncFile(flags uint32, fd int) error {
	arg := &uapi.DmaBufImportSyncFile{Flags: flags, Fd: int32(fd)}
	_, errno := ioctl(b.fd, uapi.DMA_BUF_IOCTL_IMPORT_SYNC_FILE, unsafe.Pointer(arg))
	return uapi.Fail(errno, "DMA_BUF_IOCTL_IMPORT_SYNC_FILE of descriptor %d, flags %#x", fd, flags)
}

// Close closes the descriptor; mappings live on.
func (b *DmaBuf) Close() error {
	if b.fd < 0 {
		return nil
	}
	err := unix.Close(b.fd)
	b.fd = -1
	return failed(err, "close of a dma-buf")
}
