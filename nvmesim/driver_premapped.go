package nvmesim

import (
	"dmasim/blkmq"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// A request with a map is programmed from the map's array of bus addresses (PREMAPPED). The
// arithmetic is the posted one, in the posted types.

// premapped is PRE-1 to PRE-3 for length bytes at done, which is bi_bvec_done.
func (d *Driver) premapped(t *kernel.Task, io *iod, rq *blkmq.Request, array []hw.BusAddr, done uint32, length int32) kernel.BlkStatus {
	offset := offsetOf(t, done)
	index, in := offset/CtrlPageSize, int32(offset&(CtrlPageSize-1))
	if rq.Dir() == hw.ToDevice {
		t.Mark("PRE-1")
		d.sync(t, array, offset, length, d.ctrl.IOMMU.SyncForDevice, hw.ToDevice)
	}
	t.Mark("PRE-2")
	prp1 := d.page(t, array, index) + hw.BusAddr(in)
	index++
	var prp2 hw.BusAddr
	switch rest := length - (CtrlPageSize - in); {
	case rest <= 0:
	case rest <= CtrlPageSize:
		t.Mark("PRE-2 two pages")
		prp2 = d.page(t, array, index)
	default:
		t.Mark("PRE-3")
		l := prpList{d: d, io: io}
		if !l.start(t, int(rest+CtrlPageSize-1)/CtrlPageSize) {
			t.Stress("PRE-3", "no descriptor: BLK_STS_RESOURCE")
			t.Mark("PRE-3 no descriptor")
			return kernel.BLK_STS_RESOURCE
		}
		prp2 = l.at.addr
		for ; rest > 0; rest -= CtrlPageSize {
			if !l.add(t, d.page(t, array, index)) {
				t.Stress("PRE-3", "no descriptor for another list: BLK_STS_RESOURCE")
				t.Mark("PRE-3 no further descriptor")
				if token.Repaired(t, token.FixFreeList) {
					d.freeLists(t, io)
				} else {
					d.freeDescriptors(t, io)
				}
				return kernel.BLK_STS_RESOURCE
			}
			index++
		}
		l.flush(t)
		if len(io.lists) > 1 {
			t.Mark("PRE-3 chained")
		}
	}
	io.cmd.DPTR1, io.cmd.DPTR2 = uint64(prp1), uint64(prp2) // PRE-4
	return kernel.BLK_STS_OK
}

// offsetOf is the offset as PRE and CMP-1 have it: in an int.
func offsetOf(t *kernel.Task, done uint32) int64 {
	if token.Repaired(t, token.FixWideOffset) {
		return int64(done)
	}
	return int64(int32(done))
}

// sync is that of PRE-1 and CMP-1, for the pages of a range.
func (d *Driver) sync(t *kernel.Task, array []hw.BusAddr, offset int64, length int32, one func(*sim.Task, hw.BusAddr, int, hw.Direction), dir hw.Direction) {
	i, in := offset/CtrlPageSize, int32(offset&(CtrlPageSize-1))
	if !token.Repaired(t, token.FixSyncRange) {
		if dir == hw.FromDevice && (length+in)%CtrlPageSize != 0 {
			t.Stressf("CMP-1", "sync %d whole page(s) for the CPU, for %d bytes", (length+in+CtrlPageSize-1)/CtrlPageSize, length)
		}
		for n := length + in; n > 0; i, n = i+1, n-CtrlPageSize {
			one(t.Task, d.page(t, array, i), CtrlPageSize, dir)
		}
		return
	}
	for ; length > 0; i, in = i+1, 0 {
		n := min(length, CtrlPageSize-in)
		one(t.Task, d.page(t, array, i)+hw.BusAddr(in), int(n), dir)
		length -= n
	}
}

// page is array[i]. The kernel does not look whether there is such an entry.
func (d *Driver) page(t *kernel.Task, array []hw.BusAddr, i int64) hw.BusAddr {
	if i < 0 || i >= int64(len(array)) {
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
			t.Mark("CMP-1 no map")
			t.BUG("CMP-1: NULL pointer dereference of rq->dma_map")
		}
		array := arrayOf(t, rq.Map)
		d.sync(t, array, offsetOf(t, rq.Bio.Done), int32(io.bytes), d.ctrl.IOMMU.SyncForCPU, hw.FromDevice)
	}
	if !io.single {
		d.freeDescriptors(t, io)
	}
}

// freeDescriptors is PRE-3a: addresses come from the command and from the lists.
func (d *Driver) freeDescriptors(t *kernel.Task, io *iod) {
	switch n := len(io.lists); {
	case n == 1:
		t.Mark("PRE-3a")
	case n > 1:
		t.Mark("PRE-3a several")
	}
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
	d.spare.put(t, io)
}
