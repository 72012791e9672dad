//go:build linux

package udmabuf

import (
	"errors"

	"golang.org/x/sys/unix"

	"dmasim/internal/uapi"
)

// Buffer is memory with two views: the mapping of a sealed memfd, which can be a fixed
// buffer, and a dma-buf over the same pages for the CPU, if the host has udmabufs.
type Buffer struct {
	Memfd *Memfd
	// IO is the mapping of the memfd.
	IO *Mapping
	// DmaBuf and CPU are nil where the memfd is all there is.
	DmaBuf *DmaBuf
	CPU    *Mapping
}

// NewBuffer makes a buffer of size bytes, a multiple of the page size. With a nil device
// it is the memfd alone.
func NewBuffer(d *Device, size int) (*Buffer, error) {
	b := &Buffer{}
	err := b.make(d, size)
	if err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

func (b *Buffer) make(d *Device, size int) (err error) {
	const rw = unix.PROT_READ | unix.PROT_WRITE
	if b.Memfd, err = NewMemfd(size, 0, unix.F_SEAL_SHRINK); err != nil {
		return err
	}
	if b.IO, err = b.Memfd.Map(rw); err != nil || d == nil {
		return err
	}
	if b.DmaBuf, err = d.Create(b.Memfd.Fd(), 0, size); err != nil {
		return err
	}
	b.CPU, err = b.DmaBuf.Map(rw)
	return err
}

// Note says what the CPU's view is.
func (b *Buffer) Note() string {
	if b.DmaBuf == nil {
		return "no " + Path + ": CPU access goes through the memfd's own mapping"
	}
	return "CPU access goes through a udmabuf, between DMA_BUF_IOCTL_SYNC calls"
}

// Read copies from the buffer as the CPU sees it.
func (b *Buffer) Read(to []byte, at int) error {
	return b.access(uapi.DMA_BUF_SYNC_READ, func(mem []byte) { copy(to, mem[at:]) })
}

// Write copies into the buffer as the CPU sees it.
func (b *Buffer) Write(at int, from []byte) error {
	return b.access(uapi.DMA_BUF_SYNC_WRITE, func(mem []byte) { copy(mem[at:], from) })
}

func (b *Buffer) access(flags uint64, do func([]byte)) error {
	if b.DmaBuf == nil {
		do(b.IO.Bytes)
		return nil
	}
	if err := b.DmaBuf.Sync(uapi.DMA_BUF_SYNC_START | flags); err != nil {
		return err
	}
	do(b.CPU.Bytes)
	return b.DmaBuf.Sync(uapi.DMA_BUF_SYNC_END | flags)
}

// Close drops both views. A registration keeps the pages until it is gone itself.
func (b *Buffer) Close() error {
	var errs []error
	if b.CPU != nil {
		errs = append(errs, b.CPU.Close())
	}
	if b.DmaBuf != nil {
		errs = append(errs, b.DmaBuf.Close())
	}
	if b.IO != nil {
		errs = append(errs, b.IO.Close())
	}
	if b.Memfd != nil {
		errs = append(errs, b.Memfd.Close())
	}
	return errors.Join(errs...)
}
