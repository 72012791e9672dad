//go:build linux

package udmabuf

import (
	"errors"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"dmasim/internal/uapi"
)

// Path is the device.
const Path = "/dev/udmabuf"

// Device is /dev/udmabuf, opened.
type Device struct{ fd int }

// Open opens the device. An error says in a sentence what is missing; a host without
// the device is normal.
func Open() (*Device, error) { return open(Path) }

func open(path string) (*Device, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err == nil {
		return &Device{fd}, nil
	}
	err = failed(err, "open %s", path)
	var e *uapi.Error
	if errors.As(err, &e) {
		switch e.Errno {
		case unix.ENOENT, unix.ENXIO, unix.ENODEV:
			e.Why = "the kernel has no udmabuf driver (CONFIG_UDMABUF), or /dev lacks it"
		case unix.EACCES, unix.EPERM:
			e.Why = "the device is for root only"
		}
	}
	return nil, err
}

// Close closes the device; dma-bufs live on.
func (d *Device) Close() error {
	if d == nil || d.fd < 0 {
		return nil
	}
	err := unix.Close(d.fd)
	d.fd = -1
	return failed(err, "close %s", Path)
}

// Create is UDMABUF_CREATE of size bytes of a memfd from offset.
func (d *Device) Create(memfd, offset, size int) (*DmaBuf, error) {
	arg := &uapi.UdmabufCreate{
		Memfd: uint32(memfd), Flags: uapi.UDMABUF_FLAGS_CLOEXEC, Offset: uint64(offset), Size: uint64(size),
	}
	fd, errno := ioctl(d.fd, uapi.UDMABUF_CREATE, unsafe.Pointer(arg))
	if errno != 0 {
		return nil, uapi.Fail(errno, "UDMABUF_CREATE of %d bytes at %d of descriptor %d", size, offset, memfd)
	}
	return &DmaBuf{fd, size}, nil
}

// Item is a part of a memfd.
type Item struct{ Memfd, Offset, Size int }

// CreateList is UDMABUF_CREATE_LIST: the items make one dma-buf, in that order.
func (d *Device) CreateList(items []Item) (*DmaBuf, error) {
	size := 0
	const head = int(unsafe.Sizeof(uapi.UdmabufCreateList{}))
	const each = int(unsafe.Sizeof(uapi.UdmabufCreateItem{}))
	words := make([]uint64, (head+each*len(items))/8) // the alignment that it needs
	at := unsafe.Pointer(&words[0])
	*(*uapi.UdmabufCreateList)(at) = uapi.UdmabufCreateList{Flags: uapi.UDMABUF_FLAGS_CLOEXEC, Count: uint32(len(items))}
	for i, it := range items {
		*(*uapi.UdmabufCreateItem)(unsafe.Add(at, head+i*each)) = uapi.UdmabufCreateItem{
			Memfd: uint32(it.Memfd), Offset: uint64(it.Offset), Size: uint64(it.Size),
		}
		size += it.Size
	}
	fd, errno := ioctl(d.fd, uapi.UDMABUF_CREATE_LIST, at)
	runtime.KeepAlive(words)
	if errno != 0 {
		return nil, uapi.Fail(errno, "UDMABUF_CREATE_LIST of %d items, %d bytes", len(items), size)
	}
	return &DmaBuf{fd, size}, nil
}

// ioctl repeats the call as long as a signal cuts it short. The dma-buf interface asks
// for that: EINTR has done nothing.
func ioctl(fd int, cmd uintptr, arg unsafe.Pointer) (int, syscall.Errno) {
	for {
		n, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), cmd, uintptr(arg))
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}
