package nvmesim

import (
	"dmasim/blkmq"
	"dmasim/dmabufsim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// Driver is the PCI driver of one controller: struct nvme_dev with its I/O queue.
type Driver struct {
	ctrl *Controller
}

// LogicalBlock is the size of a block of the drive, in bytes.
const LogicalBlock = 512

// NewDisk returns the queue of a drive of the given size, with depth tags, and its
// controller.
func NewDisk(t *kernel.Task, name string, size int64, depth int, d token.Design) (*blkmq.Queue, *Controller) {
	c := newController(t, name)
	limits := blkmq.Limits{LogicalBlock: LogicalBlock, MaxBytes: 512 << 10, MaxSegments: 2, DmaAlignment: hw.SectorSize - 1}
	return blkmq.NewQueue(t, name+"n1", size, depth, limits, &Driver{c}, d), c
}

// QueueRq is nvme_queue_rq (NV-0, NV-1). The command's data pointers are those of a
// premapped request, or garbage: an ordinary mapping takes the token for a vector, and
// the controller gets an address that is nobody's.
func (d *Driver) QueueRq(t *kernel.Task, rq *blkmq.Request) kernel.BlkStatus {
	cmd := command{dir: rq.Bio.Dir, lba: rq.Bio.Sector, length: int(rq.Bio.Size), rq: rq}
	if rq.Map == nil {
		t.Stress("NV-1", "no map: the token is taken for a vector")
		cmd.prp1, cmd.prp2 = hw.Poison, hw.Poison
	} else {
		t.Use(&rq.Map.Mem) // PRE-1, and what follows reads the array
		array := rq.Map.Private.([]hw.BusAddr)
		var ok bool
		cmd.prp1, cmd.prp2, ok = prps(array, int(rq.Bio.Done), cmd.length) // PRE-2
		if !ok {
			return kernel.BLK_STS_NOTSUPP
		}
	}
	rq.Start(t)
	t.Atf("PRE-4", "doorbell: %s through %v", cmd.opcode(), rq.Map)
	d.ctrl.submit(t, cmd) // PRE-4
	return kernel.BLK_STS_OK
}

// InitDmaToken attaches the controller's device to the dma-buf.
func (d *Driver) InitDmaToken(t *kernel.Task, r *token.Reg) kernel.Errno {
	if r.DmaBuf.Size%CtrlPageSize != 0 {
		return kernel.EINVAL
	}
	a, err := r.DmaBuf.DynamicAttach(t, d.ctrl.IOMMU, d, r)
	if err != kernel.OK {
		return err
	}
	r.Private = a
	return kernel.OK
}

// CleanDmaToken detaches.
func (d *Driver) CleanDmaToken(t *kernel.Task, r *token.Reg) { r.DmaBuf.Detach(t, r.Private) }

// MoveNotify is the importer's move_notify: it invalidates the token.
func (d *Driver) MoveNotify(t *kernel.Task, a *dmabufsim.Attachment) {
	a.Priv.(*token.Reg).Token.Invalidate(t)
}

// DmaMap maps the attachment and notes the bus address of every page.
func (d *Driver) DmaMap(t *kernel.Task, r *token.Reg, m *token.Map) kernel.Errno {
	if err := t.MayFail(kernel.GFP_KERNEL, "nvme dma array"); err != kernel.OK {
		return err
	}
	array := make([]hw.BusAddr, r.DmaBuf.Size/CtrlPageSize)
	sgt, err := r.Private.Map(t, r.Dir)
	if err != kernel.OK {
		return err
	}
	m.Sgt = sgt
	i := 0
	for _, s := range sgt.Segments {
		a := s.Addr
		// As posted: the length is unsigned, and the index is not compared with the
		// size of the array.
		for l := uint64(s.Len); l != 0; l -= CtrlPageSize {
			if i == len(array) {
				t.BUG("nvme dma_map writes past the end of its array of %d addresses", len(array))
			}
			array[i] = a
			i++
			a += CtrlPageSize
		}
	}
	m.Private = array
	return kernel.OK
}

// DmaUnmap unmaps the attachment.
func (d *Driver) DmaUnmap(t *kernel.Task, r *token.Reg, m *token.Map, held bool) {
	if held {
		r.Private.Unmap(t, m.Sgt, r.Dir)
	} else {
		r.Private.UnmapUnlocked(t, m.Sgt, r.Dir)
	}
	m.Sgt, m.Private = nil, nil
}

// irq is nvme_irq: the handler of a completion, in hardirq context.
func irq(t *kernel.Task, cmd command) {
	if u := cmd.rq.Frag.Use; u != nil {
		if cmd.rq.Map != nil {
			t.Use(&cmd.rq.Map.Mem) // CMP-1 syncs through the array
		}
		u.Token.Complete(t, &cmd.rq.Frag)
	}
	cmd.rq.Complete(t, kernel.BLK_STS_OK)
}
