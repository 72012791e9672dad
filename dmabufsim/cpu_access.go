package dmabufsim

import (
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// CPUAccessor is begin_cpu_access and end_cpu_access: the maintenance of caches around what
// the CPU does. The reservation lock is not held.
type CPUAccessor interface {
	BeginCPUAccess(t *kernel.Task, dir hw.Direction) kernel.Errno
	EndCPUAccess(t *kernel.Task, dir hw.Direction) kernel.Errno
}

// BeginCPUAccess is dma_buf_begin_cpu_access: after it the CPU may access the buffer, to read
// it (FromDevice) or to write it as well. It waits for those whom an implicit reader or writer
// waits for, and may be interrupted.
func (d *DmaBuf) BeginCPUAccess(t *kernel.Task, dir hw.Direction) kernel.Errno {
	t.MightSleep("dma_buf_begin_cpu_access", "")
	if op, ok := d.ops.(CPUAccessor); ok {
		if err := op.BeginCPUAccess(t, dir); err != kernel.OK {
			return err
		}
	}
	if left := d.Resv.WaitTimeout(t, UsageRW(dir != hw.FromDevice), true, kernel.MaxScheduleTimeout); left < 0 {
		return kernel.Errno(-left)
	}
	return kernel.OK
}

// EndCPUAccess is dma_buf_end_cpu_access.
func (d *DmaBuf) EndCPUAccess(t *kernel.Task, dir hw.Direction) kernel.Errno {
	t.MightSleep("dma_buf_end_cpu_access", "")
	if op, ok := d.ops.(CPUAccessor); ok {
		return op.EndCPUAccess(t, dir)
	}
	return kernel.OK
}

// SyncFlags are the flags of DMA_BUF_IOCTL_SYNC.
type SyncFlags uint64

const (
	DMA_BUF_SYNC_READ  SyncFlags = 1
	DMA_BUF_SYNC_WRITE SyncFlags = 2
	DMA_BUF_SYNC_RW              = DMA_BUF_SYNC_READ | DMA_BUF_SYNC_WRITE
	DMA_BUF_SYNC_START SyncFlags = 0
	DMA_BUF_SYNC_END   SyncFlags = 4
)

// Sync is DMA_BUF_IOCTL_SYNC.
func (d *DmaBuf) Sync(t *kernel.Task, flags SyncFlags) kernel.Errno {
	if flags&^(DMA_BUF_SYNC_RW|DMA_BUF_SYNC_END) != 0 {
		return kernel.EINVAL
	}
	var dir hw.Direction
	switch flags & DMA_BUF_SYNC_RW {
	case DMA_BUF_SYNC_READ:
		dir = hw.FromDevice
	case DMA_BUF_SYNC_WRITE:
		dir = hw.ToDevice
	case DMA_BUF_SYNC_RW:
		dir = hw.Bidirectional
	default:
		return kernel.EINVAL
	}
	if flags&DMA_BUF_SYNC_END != 0 {
		return d.EndCPUAccess(t, dir)
	}
	return d.BeginCPUAccess(t, dir)
}

// Vmapper is vmap and vunmap: the buffer in the kernel's address space. The reservation lock
// is held. The core calls it for the first user and the last one.
type Vmapper interface {
	Vmap(t *kernel.Task) ([]*hw.Page, kernel.Errno)
	Vunmap(t *kernel.Task)
}

// vmaps counts the users of the mapping.
type vmaps struct {
	users int
	pages []*hw.Page
}

// Vmap is dma_buf_vmap: the reservation lock is held.
func (d *DmaBuf) Vmap(t *kernel.Task) ([]*hw.Page, kernel.Errno) {
	t.MightSleep("dma_buf_vmap", "")
	op, ok := d.ops.(Vmapper)
	if !ok {
		return nil, kernel.EINVAL
	}
	d.Resv.AssertHeld(t, "dma_buf_vmap")
	if d.vmaps.users == 0 {
		pages, err := op.Vmap(t)
		if err != kernel.OK {
			return nil, err
		}
		d.vmaps.pages = pages
	}
	d.vmaps.users++
	return d.vmaps.pages, kernel.OK
}

// Vunmap is dma_buf_vunmap: the reservation lock is held.
func (d *DmaBuf) Vunmap(t *kernel.Task) {
	d.Resv.AssertHeld(t, "dma_buf_vunmap")
	if d.vmaps.users == 0 {
		t.BUG("dma_buf_vunmap of %q, which is not mapped", d.Name)
	}
	d.vmaps.users--
	if d.vmaps.users == 0 {
		d.vmaps.pages = nil
		d.ops.(Vmapper).Vunmap(t)
	}
}

// VmapUnlocked is dma_buf_vmap_unlocked: takes the reservation lock itself.
func (d *DmaBuf) VmapUnlocked(t *kernel.Task) ([]*hw.Page, kernel.Errno) {
	d.Resv.Lock(t, nil)
	defer d.Resv.Unlock(t)
	return d.Vmap(t)
}

// VunmapUnlocked is dma_buf_vunmap_unlocked: takes the reservation lock itself.
func (d *DmaBuf) VunmapUnlocked(t *kernel.Task) {
	d.Resv.Lock(t, nil)
	d.Vunmap(t)
	d.Resv.Unlock(t)
}
