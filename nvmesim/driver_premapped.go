package nvmesim

import (
	"dmasim/blkmq"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// A request with a map is programmed from the map's array of bus addresses (PREMAPPED). The
// arithmetic is the posted one, in the posted types.

// premapped is PRE-1 to PRE-3 for length bytes at done, which is bi_bvec_done.
func (d *Driver) premapped(t *kernel.Task, io *iod, rq *blkmq.Request, array []hw.BusAddr, done uint32, length int32) kernel.BlkStatus {
	offset := int32(done)
	index, in := offset/CtrlPageSize, offset&(CtrlPageSize-1)
	if rq.Dir() == hw.ToDevice { // PRE-1
		for i, n := index, length+in; n > 0; i, n = i+1, n-CtrlPageSize {
			d.ctrl.IOMMU.SyncForDevice(t.Task, d.page(t, array, i), CtrlPageSize, hw.ToDevice)
		}
	}
	// PRE-2
	prp1 := d.page(t, array, index) + hw.BusAddr(in)
	index++
	var prp2 hw.BusAddr
	switch rest := length - (CtrlPageSize - in); {
	case rest <= 0:
	case rest <= CtrlPageSize:
		prp2 = d.page(t, array, index)
	default: // PRE-3
		l := prpList{d: d, io: io}
		if !l.start(t, int(rest+CtrlPageSize-1)/CtrlPageSize) {
			t.Stress("PRE-3", "no descriptor: BLK_STS_RESOURCE")
			return kernel.BLK_STS_RESOURCE
		}
		prp2 = l.at.addr
		for ; rest > 0; rest -= CtrlPageSize {
			if !l.add(t, d.page(t, array, index)) {
				t.Stress("PRE-3", "no descriptor for another list: BLK_STS_RESOURCE")
				d.freeDescriptors(t, io)
				return kernel.BLK_STS_RESOURCE
			}
			index++
		}
		l.flush(t)
	}
	io.cmd.DPTR1, io.cmd.DPTR2 = uint64(prp1), uint64(prp2) // PRE-4
	return kernel.BLK_STS_OK
}

// page is array[i]. The kernel does not look whether there is such an entry.
func (d *Driver) page(t *kernel.Task, array []hw.BusAddr, i int32) hw.BusAddr {
	if i < 0 || int(i) >= len(array) {
		t.BUG("nvme reads entry %d of an array of %d addresses", i, len(array))
	}
	return array[i]
}

// finishPremapped is CMP-1. The array is that of rq.dma_map, which is taken for granted.
func (d *Driver) finishPremapped(t *kernel.Task, io *iod, rq *blkmq.Request) {
	if rq.Map != nil {
		t.Use(&rq.Map.Mem)
	}
	if rq.Dir() == hw.FromDevice {
		if rq.Map == nil {
			t.BUG("CMP-1: NULL pointer dereference of rq->dma_map")
		}
		array := rq.Map.Private.([]hw.BusAddr)
		offset := int32(rq.Bio.Done)
		for i, n := offset/CtrlPageSize, int32(io.bytes)+offset&(CtrlPageSize-1); n > 0; i, n = i+1, n-CtrlPageSize {
			d.ctrl.IOMMU.SyncForCPU(t.Task, d.page(t, array, i), CtrlPageSize, hw.FromDevice)
		}
	}
	if !io.single {
		d.freeDescriptors(t, io)
	}
}

// freeDescriptors is PRE-3a: addresses come from the command and from the lists.
func (d *Driver) freeDescriptors(t *kernel.Task, io *iod) {
	addr := hw.BusAddr(io.cmd.DPTR2)
	if len(io.lists) == 1 {
		p := d.large
		if io.small {
			p = d.small
		}
		p.put(t, io.lists[0], addr)
	} else {
		for _, b := range io.lists {
			next := hw.BusAddr(b.load(t, lastEntry))
			d.large.put(t, b, addr)
			addr = next
		}
	}
	io.lists = io.lists[:0]
}
