package dmabufsim

import (
	"math"

	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// FDTable is the descriptor table of a process: struct fdtable.
type FDTable struct {
	// Limit is RLIMIT_NOFILE; 0 means 1024.
	Limit int

	obj   sim.Object
	files map[int]any // *DmaBuf, or another file
}

func (f *FDTable) init(t *kernel.Task) {
	t.Own(&f.obj, "fdtable", "files")
	f.files = map[int]any{}
}

// Install is get_unused_fd_flags and fd_install: the lowest descriptor that is free, from 3
// on.
func (f *FDTable) Install(t *kernel.Task, file any) (int, kernel.Errno) {
	t.Step(sim.Op{Verb: "fd_install", Obj: &f.obj})
	limit := f.Limit
	if limit == 0 {
		limit = 1024
	}
	for fd := 3; fd < limit; fd++ {
		if f.files[fd] == nil {
			f.files[fd] = file
			return fd, kernel.OK
		}
	}
	t.Did(sim.Read)
	return -1, kernel.EMFILE
}

// Close is close: the descriptor's reference goes.
func (f *FDTable) Close(t *kernel.Task, fd int) kernel.Errno {
	t.Step(sim.Op{Verb: "close", Obj: &f.obj})
	file := f.files[fd]
	if file == nil {
		t.Did(sim.Read)
		return kernel.EBADF
	}
	delete(f.files, fd)
	if c, ok := file.(interface{ Put(*kernel.Task) }); ok {
		c.Put(t)
	}
	return kernel.OK
}

// FD is dma_buf_fd: the caller's reference becomes the descriptor's. If it fails the caller
// has it still.
func (d *DmaBuf) FD(t *kernel.Task) (int, kernel.Errno) { return d.bus.FDs.Install(t, d) }

// GetFD is dma_buf_get: the buffer behind a descriptor, with a reference.
func (b *Bus) GetFD(t *kernel.Task, fd int) (*DmaBuf, kernel.Errno) {
	t.Step(sim.Op{Verb: "fget", Obj: &b.FDs.obj, Class: sim.Read})
	switch f := b.FDs.files[fd].(type) {
	case nil:
		return nil, kernel.EBADF
	case *DmaBuf:
		return f.Get(t), kernel.OK
	}
	return nil, kernel.EINVAL
}

// Whence is where llseek counts from.
type Whence uint8

const (
	SEEK_SET Whence = iota
	SEEK_CUR
	SEEK_END
)

// Llseek is dma_buf_llseek: to the beginning or to the end, so that the size can be asked for.
func (d *DmaBuf) Llseek(off int64, w Whence) (int64, kernel.Errno) {
	if off != 0 || w == SEEK_CUR {
		return 0, kernel.EINVAL
	}
	if w == SEEK_END {
		return int64(d.Size), kernel.OK
	}
	return 0, kernel.OK
}

// Mmapper is the mmap op: it says whether the mapping can be, and what is behind a page of the
// buffer when it is touched. The reservation lock is not held.
type Mmapper interface {
	Mmap(t *kernel.Task, v *VMA) kernel.Errno
	// Fault gives the page behind a page of the buffer; nil is SIGBUS.
	Fault(t *kernel.Task, page int) *hw.Page
}

// VMA is struct vm_area_struct: the buffer in the address space of a process.
type VMA struct {
	buf *DmaBuf
	// First and Pages are the range of the buffer, in pages.
	First, Pages uint64
	Shared       bool
}

// Mmap is mmap of the buffer's descriptor: n bytes from a page on.
func (d *DmaBuf) Mmap(t *kernel.Task, n, page uint64, shared bool) (*VMA, kernel.Errno) {
	op, ok := d.ops.(Mmapper)
	if !ok {
		return nil, kernel.EINVAL
	}
	pages := (n + hw.PageSize - 1) / hw.PageSize
	if page > math.MaxUint64-pages {
		return nil, kernel.EOVERFLOW
	}
	if pages == 0 || page+pages > d.Size/hw.PageSize {
		return nil, kernel.EINVAL
	}
	v := &VMA{buf: d, First: page, Pages: pages, Shared: shared}
	if err := op.Mmap(t, v); err != kernel.OK {
		return nil, err
	}
	d.Get(t)
	return v, kernel.OK
}

// Unmap is munmap: the mapping's reference of the buffer goes.
func (v *VMA) Unmap(t *kernel.Task) { v.buf.Put(t) }

// Load is what the process reads: n bytes within one page, off from the beginning of the
// mapping. EFAULT stands for SIGBUS.
func (v *VMA) Load(t *kernel.Task, off, n int) (hw.Data, kernel.Errno) {
	p, err := v.fault(t, "load", off, sim.Read)
	if err != kernel.OK {
		return nil, err
	}
	return hw.Load(t.Task, []*hw.Page{p}, off%hw.PageSize, n), kernel.OK
}

// Store is what the process writes, see Load.
func (v *VMA) Store(t *kernel.Task, off int, data hw.Data) kernel.Errno {
	p, err := v.fault(t, "store", off, sim.Write)
	if err != kernel.OK {
		return err
	}
	hw.Store(t.Task, []*hw.Page{p}, off%hw.PageSize, data)
	return kernel.OK
}

func (v *VMA) fault(t *kernel.Task, verb string, off int, c sim.Class) (*hw.Page, kernel.Errno) {
	t.Step(sim.Op{Verb: verb})
	page := off / hw.PageSize
	if uint64(page) >= v.Pages {
		return nil, kernel.EFAULT
	}
	p := v.buf.ops.(Mmapper).Fault(t, int(v.First)+page)
	if p == nil {
		return nil, kernel.EFAULT
	}
	return p, kernel.OK
}
