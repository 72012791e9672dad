//go:build linux

package udmabuf

import (
	"errors"
	"fmt"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"

	"dmasim/internal/uapi"
)

// Vgem is a device of the driver vgem, which has no hardware and makes fences that are
// pending until its user signals them, or for ten seconds.
type Vgem struct{ fd int }

// OpenVgem opens the device of vgem, if there is one.
func OpenVgem() (*Vgem, error) {
	nodes, _ := filepath.Glob("/dev/dri/*")
	why := errors.New("there is no graphics device in /dev/dri")
	for _, node := range nodes {
		fd, err := unix.Open(node, unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			why = failed(err, "open %s", node)
			continue
		}
		name := make([]byte, 16)
		v := &uapi.DrmVersion{NameLen: uint64(len(name)), Name: &name[0]}
		if _, errno := ioctl(fd, uapi.DRM_IOCTL_VERSION, unsafe.Pointer(v)); errno == 0 && unix.ByteSliceToString(name) == "vgem" {
			return &Vgem{fd}, nil
		}
		unix.Close(fd)
		why = fmt.Errorf("no device in /dev/dri is vgem's")
	}
	return nil, fmt.Errorf("the kernel has no vgem driver (CONFIG_DRM_VGEM), or it is not loaded: %w", why)
}

// PendingFence is a fence that has not signalled. Its sync_file can be imported into a
// dma-buf.
type PendingFence struct {
	*SyncFile
	vgem *Vgem
	id   uint32
}

// Fence makes a pending fence, on a buffer of its own.
func (v *Vgem) Fence() (*PendingFence, error) {
	dumb := &uapi.DrmModeCreateDumb{Width: 1024, Height: 1, Bpp: 32}
	if _, errno := ioctl(v.fd, uapi.DRM_IOCTL_MODE_CREATE_DUMB, unsafe.Pointer(dumb)); errno != 0 {
		return nil, uapi.Fail(errno, "DRM_IOCTL_MODE_CREATE_DUMB")
	}
	attach := &uapi.DrmVgemFenceAttach{Handle: dumb.Handle, Flags: uapi.VGEM_FENCE_WRITE}
	if _, errno := ioctl(v.fd, uapi.DRM_IOCTL_VGEM_FENCE_ATTACH, unsafe.Pointer(attach)); errno != 0 {
		return nil, uapi.Fail(errno, "DRM_IOCTL_VGEM_FENCE_ATTACH")
	}
	prime := &uapi.DrmPrimeHandle{Handle: dumb.Handle, Flags: unix.O_CLOEXEC | unix.O_RDWR}
	if _, errno := ioctl(v.fd, uapi.DRM_IOCTL_PRIME_HANDLE_TO_FD, unsafe.Pointer(prime)); errno != 0 {
		return nil, uapi.Fail(errno, "DRM_IOCTL_PRIME_HANDLE_TO_FD")
	}
	buf := &DmaBuf{int(prime.Fd), int(dumb.Size)}
	defer buf.Close()
	s, err := buf.ExportSyncFile(uapi.DMA_BUF_SYNC_RW)
	if err != nil {
		return nil, err
	}
	return &PendingFence{s, v, attach.OutFence}, nil
}

// Signal signals the fence. After ten seconds it fails with ETIMEDOUT: the driver has done
// it itself.
func (f *PendingFence) Signal() error {
	arg := &uapi.DrmVgemFenceSignal{Fence: f.id}
	_, errno := ioctl(f.vgem.fd, uapi.DRM_IOCTL_VGEM_FENCE_SIGNAL, unsafe.Pointer(arg))
	return uapi.Fail(errno, "DRM_IOCTL_VGEM_FENCE_SIGNAL")
}

// Close closes the device and signals what is pending.
func (v *Vgem) Close() error {
	err := unix.Close(v.fd)
	v.fd = -1
	return failed(err, "close of a vgem device")
}
