package simpath

import (
	"dmasim/blkmq"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// disk is a virtual disk as virtio_blk drives it: it takes any address, one interrupt for each
// request, and no tokens.
type disk struct {
	token.Driver // not called: nothing can be registered
	name         string
	iommu        *hw.IOMMU
	media        sim.Object
	data         hw.Data
}

const virtioTags = 256

func newDisk(t *kernel.Task, name string, size int64, block, memAlign uint32) (*blkmq.Queue, *disk) {
	d := &disk{name: name, iommu: hw.NewIOMMU(t.Task, name), data: hw.Bytes(name, 0, int(size))}
	t.Own(&d.media, "media", name)
	l := blkmq.Limits{LogicalBlock: block, PhysicalBlock: 4096, MaxHWSectors: 1<<32 - 1, MaxSegments: 254,
		MaxSegmentSize: 1<<32 - 1, DmaAlignment: memAlign - 1}
	return blkmq.NewQueue(t, name, size, virtioTags, l, d, nil), d
}

func (d *disk) blocks(at int64, n int) hw.Data { return d.data.Slice(int(at), n) }

// QueueRq is virtio_queue_rq.
func (d *disk) QueueRq(t *kernel.Task, rq *blkmq.Request) kernel.BlkStatus {
	var mapped, segs []hw.Segment
	dir, at, bytes := rq.Dir(), int(rq.Sector)*hw.SectorSize, int(rq.Bytes)
	for v := range rq.Vecs {
		for done := uint32(0); done < v.Len; {
			p, off := v.Page(done)
			n := min(v.Len-done, hw.PageSize-off)
			m := d.iommu.Map(t.Task, []*hw.Page{p}, dir)
			mapped = append(mapped, m...)
			segs = append(segs, hw.Segment{Addr: m[0].Addr + hw.BusAddr(off), Len: int(n)})
			done += n
		}
	}
	rq.Start(t)
	t.Device(d.name, sim.Op{Verb: "virtqueue"}, func(t *kernel.Task) {
		if dir == hw.FromDevice {
			t.Touch(&d.media, sim.Read)
			d.iommu.DMA(t.Task, dir, segs, d.data.Slice(at, bytes))
		} else {
			data := d.iommu.DMA(t.Task, dir, segs, nil)
			t.Touch(&d.media, sim.Write)
			d.data = d.data.Overwrite(at, data)
		}
		t.Interrupt("irq "+d.name, func(t *kernel.Task) {
			d.iommu.Unmap(t.Task, mapped)
			rq.Complete(t, kernel.BLK_STS_OK)
		})
	})
	return kernel.BLK_STS_OK
}
