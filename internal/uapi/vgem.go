package uapi

// From include/uapi/drm/drm.h, drm_mode.h and vgem_drm.h: what it takes to have a fence that
// is pending for as long as one likes.

// The ioctls.
const (
	DRM_IOCTL_VERSION            = 0xc0406400
	DRM_IOCTL_PRIME_HANDLE_TO_FD = 0xc00c642d
	DRM_IOCTL_MODE_CREATE_DUMB   = 0xc02064b2
	DRM_IOCTL_VGEM_FENCE_ATTACH  = 0xc0106441
	DRM_IOCTL_VGEM_FENCE_SIGNAL  = 0x40086442
)

// VGEM_FENCE_WRITE makes a fence that of a writer.
const VGEM_FENCE_WRITE = 1

// DrmVersion is struct drm_version.
type DrmVersion struct {
	Major, Minor, Patchlevel int32
	NameLen                  uint64
	Name                     *byte
	DateLen                  uint64
	Date                     *byte
	DescLen                  uint64
	Desc                     *byte
}

// DrmPrimeHandle is struct drm_prime_handle.
type DrmPrimeHandle struct {
	Handle, Flags uint32
	Fd            int32
}

// DrmModeCreateDumb is struct drm_mode_create_dumb.
type DrmModeCreateDumb struct {
	Height, Width, Bpp, Flags uint32
	Handle, Pitch             uint32
	Size                      uint64
}

// DrmVgemFenceAttach is struct drm_vgem_fence_attach.
type DrmVgemFenceAttach struct{ Handle, Flags, OutFence, Pad uint32 }

// DrmVgemFenceSignal is struct drm_vgem_fence_signal.
type DrmVgemFenceSignal struct{ Fence, Flags uint32 }
