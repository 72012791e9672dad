package uapi

// From include/uapi/linux/dma-buf.h.

// Flags of DMA_BUF_IOCTL_SYNC and of the sync_file calls.
const (
	DMA_BUF_SYNC_READ  = 1 << 0
	DMA_BUF_SYNC_WRITE = 2 << 0
	DMA_BUF_SYNC_RW    = DMA_BUF_SYNC_READ | DMA_BUF_SYNC_WRITE
	DMA_BUF_SYNC_START = 0 << 2
	DMA_BUF_SYNC_END   = 1 << 2
)

// The ioctls of a dma-buf.
const (
	DMA_BUF_IOCTL_SYNC             = 0x40086200
	DMA_BUF_IOCTL_EXPORT_SYNC_FILE = 0xc0086202
	DMA_BUF_IOCTL_IMPORT_SYNC_FILE = 0x40086203
)

// DmaBufSync is struct dma_buf_sync.
type DmaBufSync struct{ Flags uint64 }

// DmaBufExportSyncFile is struct dma_buf_export_sync_file.
type DmaBufExportSyncFile struct {
	Flags uint32
	Fd    int32
}

// DmaBufImportSyncFile is struct dma_buf_import_sync_file.
type DmaBufImportSyncFile struct {
	Flags uint32
	Fd    int32
}
