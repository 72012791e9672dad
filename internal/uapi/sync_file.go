package uapi

// From include/uapi/linux/sync_file.h.

// SYNC_IOC_FILE_INFO is the ioctl that tells the state of a sync_file.
const SYNC_IOC_FILE_INFO = 0xc0383e04

// SyncFileInfo is struct sync_file_info.
type SyncFileInfo struct {
	Name   [32]byte
	Status int32
	Flags  uint32
	// NumFences is the room in SyncFenceInfo, and then the number there is.
	NumFences, Pad uint32
	SyncFenceInfo  uint64
}
