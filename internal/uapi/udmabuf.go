package uapi

// From include/uapi/linux/udmabuf.h.

// UDMABUF_FLAGS_CLOEXEC closes the new descriptor on exec.
const UDMABUF_FLAGS_CLOEXEC = 0x01

// The ioctls of /dev/udmabuf.
const (
	UDMABUF_CREATE      = 0x40187542
	UDMABUF_CREATE_LIST = 0x40087543
)

// UdmabufCreate is struct udmabuf_create.
type UdmabufCreate struct {
	Memfd, Flags uint32
	Offset, Size uint64
}

// UdmabufCreateItem is struct udmabuf_create_item.
type UdmabufCreateItem struct {
	Memfd, Pad   uint32
	Offset, Size uint64
}

// UdmabufCreateList is struct udmabuf_create_list without its items, which follow it.
type UdmabufCreateList struct{ Flags, Count uint32 }
