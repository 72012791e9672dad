package dmabufsim

import (
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// Seal is what a memfd must not be used for any more: F_SEAL_*.
type Seal uint8

const (
	F_SEAL_SHRINK Seal = 1 << iota
	F_SEAL_GROW
	F_SEAL_WRITE
	F_SEAL_FUTURE_WRITE
	F_SEAL_EXEC
)

// Memfd is a file of memfd_create.
type Memfd struct {
	Seals Seal
	// Hugetlb says that it has huge pages, of which few exist.
	Hugetlb bool
	// Exec says that it is executable, in which case F_SEAL_EXEC implies that it cannot be
	// written.
	Exec bool

	obj    sim.Object
	pages  []*hw.Page
	pins   int
	closed bool
}

// TmpfsFile is a file of a file system in memory that is no memfd: it cannot be sealed.
type TmpfsFile struct{ Pages int }

// Put drops a reference.
func (*TmpfsFile) Put(*kernel.Task) {}

// NewMemfd is a file of n pages, filled with contents of its own.
func (b *Bus) NewMemfd(t *kernel.Task, name string, n int, seals Seal) *Memfd {
	m := &Memfd{Seals: seals, pages: b.Memory.Alloc(t.Task, name, n)}
	t.Own(&m.obj, "inode", name)
	hw.Fill(m.pages, name)
	return m
}

// Pages are the file's, for oracles.
func (m *Memfd) Pages() []*hw.Page { return m.pages }

// Put closes the file. Its pages go when nobody has them pinned.
func (m *Memfd) Put(t *kernel.Task) {
	t.Touch(&m.obj, sim.Write)
	m.closed = true
	m.free(t)
}

func (m *Memfd) unpin(t *kernel.Task) {
	t.Touch(&m.obj, sim.Write)
	m.pins--
	m.free(t)
}

func (m *Memfd) free(t *kernel.Task) {
	if m.closed && m.pins == 0 {
		hw.Give(t.Task, m.pages, "")
	}
}

// AddSeals is F_ADD_SEALS: nothing may be sealed against writing while its pages are pinned.
func (m *Memfd) AddSeals(t *kernel.Task, s Seal) kernel.Errno {
	t.Step(sim.Op{Verb: "F_ADD_SEALS", Obj: &m.obj})
	if s&F_SEAL_WRITE != 0 && m.pins > 0 {
		return kernel.EBUSY
	}
	m.Seals |= s
	return kernel.OK
}

// UdmabufItem is struct udmabuf_create_item: a range of a file, in bytes.
type UdmabufItem struct {
	FD           int
	Offset, Size uint64
}

// Limits of the module, which can be set when it is loaded.
const (
	UdmabufListLimit = 1024
	UdmabufSizeLimit = 64 // in megabytes
)

// udmabuf is struct udmabuf: an exporter of pages of memfds, which it has pinned until it is
// released. It is a static one: the pages never move, and it takes any importer.
type udmabuf struct {
	buf   *DmaBuf
	files []*Memfd
	pages []*hw.Page
	sg    kernel.Shared[bool] // ubuf->sg exists
}

// UdmabufIoctl is an ioctl of /dev/udmabuf. It returns a descriptor.
func (b *Bus) UdmabufIoctl(t *kernel.Task, request string, items []UdmabufItem) (int, kernel.Errno) {
	switch request {
	case "UDMABUF_CREATE":
		if items == nil {
			return -1, kernel.EFAULT
		}
	case "UDMABUF_CREATE_LIST":
		if len(items) > UdmabufListLimit {
			return -1, kernel.EINVAL
		}
	default:
		return -1, kernel.ENOTTY
	}
	return b.udmabufCreate(t, items)
}

func (b *Bus) udmabufCreate(t *kernel.Task, items []UdmabufItem) (int, kernel.Errno) {
	u := &udmabuf{}
	u.sg.Init(t, nil, "udmabuf.sg", false)
	total := uint64(0)
	for _, it := range items {
		if it.Offset%hw.PageSize != 0 || it.Size%hw.PageSize != 0 {
			return -1, kernel.EINVAL
		}
		if total += it.Size / hw.PageSize; total > UdmabufSizeLimit<<20/hw.PageSize {
			return -1, kernel.EINVAL
		}
	}
	if total == 0 {
		return -1, kernel.EINVAL
	}
	fail := func(err kernel.Errno) (int, kernel.Errno) {
		for _, m := range u.files {
			m.unpin(t)
		}
		return -1, err
	}
	if err := t.MayFail(kernel.GFP_KERNEL, "udmabuf"); err != kernel.OK {
		return -1, err
	}
	for _, it := range items {
		t.Step(sim.Op{Verb: "fget", Obj: &b.FDs.obj, Class: sim.Read})
		m, err := checkMemfd(t, b.FDs.files[it.FD])
		if err != kernel.OK {
			return fail(err)
		}
		first, n := it.Offset/hw.PageSize, it.Size/hw.PageSize
		if n == 0 || first+n > uint64(len(m.pages)) {
			return fail(kernel.EINVAL)
		}
		m.pins++
		u.files = append(u.files, m)
		u.pages = append(u.pages, m.pages[first:first+n]...)
	}
	buf, err := b.ExportInfo(t, &ExportInfo{Name: "udmabuf", Size: total * hw.PageSize, Ops: u})
	if err != kernel.OK {
		return fail(err)
	}
	u.buf = buf
	fd, err := buf.FD(t)
	if err != kernel.OK {
		buf.Put(t) // which unpins
		return -1, err
	}
	return fd, kernel.OK
}

// checkMemfd says what is wrong with a file.
func checkMemfd(t *kernel.Task, file any) (*Memfd, kernel.Errno) {
	switch m := file.(type) {
	case *TmpfsFile:
		return nil, kernel.EINVAL // F_GET_SEALS fails
	case *Memfd: // with the inode's lock, up to the pin
		t.Step(sim.Op{Verb: "memfd_pin_folios", Obj: &m.obj})
		s := m.Seals
		if s&F_SEAL_EXEC != 0 && m.Exec {
			s |= F_SEAL_WRITE
		}
		if s&F_SEAL_SHRINK == 0 || s&(F_SEAL_WRITE|F_SEAL_FUTURE_WRITE) != 0 {
			return nil, kernel.EINVAL
		}
		return m, kernel.OK
	}
	return nil, kernel.EBADFD
}

// MapDmaBuf maps all pages, one entry for each; the IOMMU may merge them.
func (u *udmabuf) MapDmaBuf(t *kernel.Task, a *Attachment, dir hw.Direction) (*SgTable, kernel.Errno) {
	if err := t.MayFail(kernel.GFP_KERNEL, "udmabuf sg_table"); err != kernel.OK {
		return nil, err
	}
	return &SgTable{Segments: a.Dev.Map(t.Task, u.pages, dir), Pages: u.pages}, kernel.OK
}

// UnmapDmaBuf takes the mapping away from the device.
func (u *udmabuf) UnmapDmaBuf(t *kernel.Task, a *Attachment, sgt *SgTable, dir hw.Direction) {
	a.Dev.UnmapNoSync(t.Task, sgt.Segments)
}

// CacheSgtMapping says that an attachment has one table, where the core asks.
func (u *udmabuf) CacheSgtMapping() bool { return true }

// Release unpins the pages.
func (u *udmabuf) Release(t *kernel.Task) {
	for _, m := range u.files {
		m.unpin(t)
	}
}

// BeginCPUAccess maps the pages for the device itself, the first time, and does what has to be
// done with the caches. The lock of the buffer is not taken, so two at a time may do it twice.
func (u *udmabuf) BeginCPUAccess(t *kernel.Task, dir hw.Direction) kernel.Errno {
	if !u.sg.Load(t) {
		u.sg.Store(t, true)
	}
	return kernel.OK
}

// EndCPUAccess wants a begin before it.
func (u *udmabuf) EndCPUAccess(t *kernel.Task, dir hw.Direction) kernel.Errno {
	if !u.sg.Load(t) {
		return kernel.EINVAL
	}
	return kernel.OK
}

// Mmap wants the mapping shared.
func (u *udmabuf) Mmap(t *kernel.Task, v *VMA) kernel.Errno {
	if !v.Shared {
		return kernel.EINVAL
	}
	return kernel.OK
}

// Fault gives a page; there is none beyond the end.
func (u *udmabuf) Fault(t *kernel.Task, page int) *hw.Page {
	if page >= len(u.pages) {
		return nil
	}
	return u.pages[page]
}

// Vmap gives the pages to the kernel.
func (u *udmabuf) Vmap(t *kernel.Task) ([]*hw.Page, kernel.Errno) {
	if err := t.MayFail(kernel.GFP_KERNEL, "udmabuf vmap"); err != kernel.OK {
		return nil, err
	}
	return u.pages, kernel.OK
}

// Vunmap takes them back.
func (u *udmabuf) Vunmap(*kernel.Task) {}
