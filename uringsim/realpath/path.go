//go:build linux

package realpath

import (
	"errors"
	"fmt"
	"os"
	"time"

	"dmasim/dmabufsim/udmabuf"
	"dmasim/internal/uapi"
	"dmasim/uringsim/realring"
)

// Options say how big a path is.
type Options struct {
	// Dir is the folder of the store; "" is the one for temporary files.
	Dir string
	// Drive is a block device to use in place of a file, which is overwritten; "" is what
	// DMASIM_DRIVE says, or a file.
	Drive string
	// Entries is the size of the submission ring; 0 is 64.
	Entries uint32
	// Flags are IORING_SETUP_*.
	Flags uint32
	// Store is what the file holds, a multiple of the page size.
	Store []byte
	// Buffers is how many there are, Size the length of each.
	Buffers, Size int
}

// patience is how long a completion may take before the path says that it hangs.
const patience = 30 * time.Second

// Path is a ring, a store and some buffers. It is used by one goroutine.
type Path struct {
	Ring    *realring.Ring
	Store   *Store
	Buffers []*udmabuf.Buffer
	device  *udmabuf.Device
	// dmabufs are the buffers that are registered as such.
	dmabufs map[int]bool
	notes   []string
}

// Open makes a path. An error is a sentence that says what is missing; for io_uring
// errors.Is finds ENOSYS or EPERM.
func Open(o Options) (*Path, error) {
	p := &Path{dmabufs: map[int]bool{}}
	if err := p.open(o); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func (p *Path) open(o Options) (err error) {
	if o.Entries == 0 {
		o.Entries = 64
	}
	if p.Ring, err = realring.Setup(realring.Options{Entries: o.Entries, Flags: o.Flags}); err != nil {
		return err
	}
	if o.Drive == "" {
		o.Drive = os.Getenv("DMASIM_DRIVE")
	}
	if o.Drive != "" {
		p.Store, err = NewDriveStore(o.Drive, o.Store)
	} else {
		p.Store, err = NewStore(o.Dir, o.Store)
	}
	if err != nil {
		return err
	}
	var missing error
	if p.device, missing = udmabuf.Open(); missing != nil {
		p.notes = append(p.notes, "no udmabufs, memfds alone: "+missing.Error())
	}
	for range o.Buffers {
		b, err := udmabuf.NewBuffer(p.device, o.Size)
		if err != nil {
			return err
		}
		p.Buffers = append(p.Buffers, b)
	}
	return nil
}

// Notes says what is missing, a sentence each.
func (p *Path) Notes() []string { return append(p.Store.Notes(), p.notes...) }

// Vec is a buffer as a registration takes it.
func (p *Path) Vec(buf int) uapi.Iovec {
	io := p.Buffers[buf].IO
	return uapi.Iovec{Base: io.Addr(), Len: uint64(len(io.Bytes))}
}

// RegisterAll makes every buffer the fixed buffer of its number.
func (p *Path) RegisterAll() error {
	bufs := make([]uapi.Iovec, len(p.Buffers))
	for i := range bufs {
		bufs[i] = p.Vec(i)
	}
	clear(p.dmabufs)
	return p.Ring.RegisterBuffers(bufs)
}

// Transfer moves n bytes between a registered buffer and the store, and waits for it:
// what a device does. write is towards the store.
func (p *Path) Transfer(buf, at, n int, off int64, write bool) error {
	entry, name := realring.ReadFixed, "READ_FIXED"
	if write {
		entry, name = realring.WriteFixed, "WRITE_FIXED"
	}
	e := entry(p.Store.fd, p.base(buf)+uint64(at), uint32(n), uint64(off), uint16(buf), 0)
	if err := p.Ring.Prepare(e); err != nil {
		return err
	}
	if _, err := p.Ring.Submit(); err != nil {
		return err
	}
	c, err := p.next()
	switch {
	case err != nil:
		return err
	case c.Res < 0:
		return uapi.Fail(errnoOf(c.Res), "%s of %d bytes at %d of buffer %d, offset %d", name, n, at, buf, off)
	case int(c.Res) != n:
		return fmt.Errorf("%s of %d bytes at %d of buffer %d, offset %d: only %d", name, n, at, buf, off, c.Res)
	}
	return nil
}

// next waits for a completion, but not for ever.
func (p *Path) next() (uapi.IoUringCqe, error) {
	if _, err := p.Ring.WaitTimeout(1, patience); err != nil {
		return uapi.IoUringCqe{}, err
	}
	c, _ := p.Ring.Reap()
	return c, nil
}

// Move is what an exporter does when it moves a buffer: the bytes go to another place,
// and the old place belongs to somebody else, whose bytes are the owner's. A transfer that
// still uses the old place shows.
func (p *Path) Move(from, to int, owner []byte) error {
	old := make([]byte, len(p.Buffers[from].IO.Bytes))
	if err := p.Buffers[from].Read(old, 0); err != nil {
		return err
	}
	if err := p.Buffers[to].Write(0, old); err != nil {
		return err
	}
	for i := range old {
		old[i] = owner[i%len(owner)]
	}
	return p.Buffers[from].Write(0, old)
}

// Close takes everything down, after waiting for what is in flight. If that cannot be
// waited for, the buffers stay mapped, for the kernel still uses them.
func (p *Path) Close() error {
	var errs []error
	if p.Ring != nil {
		if err := p.Ring.Close(); err != nil {
			return err
		}
	}
	for _, b := range p.Buffers {
		errs = append(errs, b.Close())
	}
	if p.Store != nil {
		errs = append(errs, p.Store.Close())
	}
	return errors.Join(append(errs, p.device.Close())...)
}
