package dmabufsim

import (
	"fmt"

	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// Bus is what the buffers of a run share: memory, and the table of file descriptors.
type Bus struct {
	Memory *hw.Memory
	// FDs is the descriptor table of the process that the buffers are handed to.
	FDs FDTable
	// SyncsAtUnmap has the exporters of movable buffers copy bounce pages back when they unmap, as
	// amdgpu and xe do. With DMA_ATTR_SKIP_CPU_SYNC, which they map with, they would not.
	SyncsAtUnmap bool

	fences  *fenceCore
	buffers []*DmaBuf
}

// NewBus returns an empty system and registers its auditor: at the end of a run no
// buffer or reservation lock may be held, and no importer may be late with an unmap.
func NewBus(t *kernel.Task) *Bus {
	b := &Bus{Memory: hw.NewMemory(t.Task), fences: fenceSystem(t)}
	b.FDs.init(t)
	t.Machine().Audit(b.audit)
	t.K.WhenSettled(b.late)
	return b
}

// Ops is struct dma_buf_ops: what every exporter has. What it may have besides is
// [Attacher], [Detacher], [Pinner] with [Unpinner], [CPUAccessor], [Mmapper] and [Vmapper].
type Ops interface {
	// MapDmaBuf gives a table of the buffer's pages, mapped for the attachment's
	// device. The reservation lock is held. No table without an error counts as ENOMEM.
	MapDmaBuf(t *kernel.Task, a *Attachment, dir hw.Direction) (*SgTable, kernel.Errno)
	// UnmapDmaBuf takes the table back. The reservation lock is held.
	UnmapDmaBuf(t *kernel.Task, a *Attachment, sgt *SgTable, dir hw.Direction)
	// Release is called when the last reference has gone. The reservation lock is not held.
	Release(t *kernel.Task)
}

// Attacher is the attach op: it may clear Peer2Peer, or refuse. The attachment is not on
// the list yet, and the reservation lock is not held.
type Attacher interface {
	Attach(t *kernel.Task, a *Attachment) kernel.Errno
}

// Detacher is the detach op: the attachment has left the list, and the reservation lock is
// not held.
type Detacher interface {
	Detach(t *kernel.Task, a *Attachment)
}

// Pinner is the pin op, which makes an exporter a dynamic one: when it returns the buffer is
// ready to be used and stays where it is. The reservation lock is held.
type Pinner interface {
	Pin(t *kernel.Task, a *Attachment) kernel.Errno
}

// Unpinner is the unpin op. Who has pin has it, too. The reservation lock is held.
type Unpinner interface {
	Unpin(t *kernel.Task, a *Attachment)
}

// Cacher is cache_sgt_mapping, up to 6.12: the first table of an attachment is kept until it
// is detached.
type Cacher interface {
	CacheSgtMapping() bool
}

// DmaBuf is struct dma_buf.
type DmaBuf struct {
	Name string
	// Size in bytes; never changes.
	Size uint64
	Resv Resv

	bus         *Bus
	ops         Ops
	module      *Module
	file        kernel.File
	attachments []*Attachment // under the reservation lock
	vmaps       vmaps
	told        int // invalidations so far
}

// Module is struct module, as far as an exporter's reference of it goes.
type Module struct {
	// Going says that the module is being removed: nobody gets a reference any more.
	Going bool
	refs  int
}

// Refs is module_refcount, for tests.
func (m *Module) Refs() int { return m.refs }

// ExportInfo is struct dma_buf_export_info.
type ExportInfo struct {
	Name   string
	Size   uint64
	Ops    Ops
	Module *Module // owner, nil for what is built in
}

// Export is dma_buf_export of an exporter that does it right and has the memory.
func (b *Bus) Export(t *kernel.Task, name string, size uint64, ops Ops) *DmaBuf {
	return b.export(t, &ExportInfo{Name: name, Size: size, Ops: ops})
}

// ExportInfo is dma_buf_export: a new buffer with one reference.
func (b *Bus) ExportInfo(t *kernel.Task, info *ExportInfo) (*DmaBuf, kernel.Errno) {
	_, pin := info.Ops.(Pinner)
	_, unpin := info.Ops.(Unpinner)
	if info.Ops == nil || pin != unpin {
		t.Warn("dma_buf_export: an op is missing")
		return nil, kernel.EINVAL
	}
	if m := info.Module; m != nil && m.Going {
		return nil, kernel.ENOENT
	}
	for _, part := range []string{"dma_buf", "dma_buf file"} {
		if err := t.MayFail(kernel.GFP_KERNEL, part); err != kernel.OK {
			return nil, err
		}
	}
	return b.export(t, info), kernel.OK
}

func (b *Bus) export(t *kernel.Task, info *ExportInfo) *DmaBuf {
	d := &DmaBuf{Name: info.Name, Size: info.Size, bus: b, ops: info.Ops, module: info.Module}
	if d.module != nil {
		d.module.refs++
	}
	d.Resv.Init(t, "dma_resv")
	d.Resv.buf = d
	d.file.Init(t, info.Name+".file", d.release)
	b.buffers = append(b.buffers, d)
	return d
}

// Dynamic tells whether the exporter is a dynamic one: dma_buf_is_dynamic.
func (d *DmaBuf) Dynamic() bool {
	_, ok := d.ops.(Pinner)
	return ok
}

// Exporter is the buffer's ops, for auditors and tests.
func (d *DmaBuf) Exporter() Ops { return d.ops }

// FenceContextAlloc is dma_fence_context_alloc(1): a new timeline.
func (d *DmaBuf) FenceContextAlloc() uint64 {
	return d.bus.fences.alloc(1)
}

// Get is get_dma_buf: the caller has a reference already. It is part of the operation
// before it.
func (d *DmaBuf) Get(t *kernel.Task) *DmaBuf {
	d.file.Get(t)
	return d
}

// Put is dma_buf_put. After the last one the buffer is released, later: by the task on its
// way back to user mode, or by a work item.
func (d *DmaBuf) Put(t *kernel.Task) { d.file.Put(t) }

// Released tells whether the release has begun. It is part of the operation before it.
func (d *DmaBuf) Released(t *kernel.Task) bool { return d.file.Released(t) }

// release is dma_buf_release.
func (d *DmaBuf) release(t *kernel.Task) {
	if d.vmaps.users > 0 {
		t.BUG("dma_buf_release of %q, which is mapped for the kernel (%d user(s))", d.Name, d.vmaps.users)
	}
	if n := len(d.attachments); n > 0 {
		t.Fail(kernel.Leak, "dma-buf %q is released with %d attachment(s)", d.Name, n)
	}
	d.ops.Release(t)
	d.Resv.fini(t)
	if d.module != nil {
		d.module.refs--
	}
}

func (b *Bus) audit() *sim.Failure {
	for _, d := range b.buffers {
		if d.Resv.lock.Locked() {
			return &sim.Failure{Kind: kernel.Leak, Message: fmt.Sprintf("the reservation lock of %q is still held", d.Name)}
		}
	}
	return b.Overdue()
}

// Overdue looks for importers that were told of a move and have not unmapped since. To be
// told is to unmap within bounded time (stage two of move_notify), so when nothing else can
// happen any more there must be none.
func (b *Bus) Overdue() *sim.Failure {
	for _, d := range b.buffers {
		for _, a := range d.attachments {
			for _, m := range a.tables {
				if m.told {
					return &sim.Failure{Kind: kernel.Leak, Message: fmt.Sprintf("the importer for %s never unmapped %q: the mapping was made %s, and move_notify was called after that", a.Dev.Device(), d.Name, m.made)}
				}
			}
		}
	}
	return nil
}
