package nvmesim

import (
	"dmasim/iter"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// mapData is nvme_map_data for an ordinary request, whose payload is vectors: maps them and
// programs the command. Its vectors are one for each physical segment. It is part of the
// operation that was granted last, unless it fails.
func (d *Driver) mapData(t *kernel.Task, io *iod, dir hw.Direction, vecs []iter.Bvec) kernel.BlkStatus {
	sgl := d.ctrl.SGL && (d.SGLThreshold > 0 || t.K.Profile != kernel.V6_12)
	if v := vecs[0]; len(vecs) == 1 && v.Pages[0].Region == nil {
		fits := v.Offset%CtrlPageSize+v.Len <= 2*CtrlPageSize
		if fits || sgl { // nvme_setup_prp_simple and nvme_setup_sgl_simple
			if err := d.dmaMap(t, io, dir, vecs); err != kernel.OK {
				return kernel.BLK_STS_RESOURCE
			}
			io.single = true
			if !fits {
				return d.setupSGL(t, io)
			}
			return d.setupPRPs(t, io, io.bytes)
		}
	}
	if err := t.MayFail(kernel.GFP_ATOMIC, "nvme iod scatterlist"); err != kernel.OK {
		return kernel.BLK_STS_RESOURCE
	}
	if err := d.dmaMap(t, io, dir, vecs); err != kernel.OK {
		if err == kernel.EREMOTEIO {
			return kernel.BLK_STS_TARGET
		}
		return kernel.BLK_STS_RESOURCE
	}
	var s kernel.BlkStatus
	if d.useSGL(t, io, len(io.segs)) {
		s = d.setupSGL(t, io)
	} else {
		s = d.setupPRPs(t, io, io.bytes)
	}
	if s != kernel.BLK_STS_OK {
		d.unmapData(t, io)
	}
	return s
}

// dmaMap is blk_rq_map_sg and dma_map_sgtable: the segments that the device sees. Without
// translation they are the vectors; an IOMMU makes one of those that follow each other at
// page boundaries.
func (d *Driver) dmaMap(t *kernel.Task, io *iod, dir hw.Direction, vecs []iter.Bvec) kernel.Errno {
	if err := t.MayFail(kernel.GFP_ATOMIC, "dma mapping"); err != kernel.OK {
		return err
	}
	u := d.ctrl.IOMMU
	d.pages = d.pages[:0]
	for _, v := range vecs {
		first, end := v.Offset/hw.PageSize, (v.Offset+v.Len+hw.PageSize-1)/hw.PageSize
		for _, p := range v.Pages[first:end] {
			if p.Region != nil && u.Peer(p.Region) == hw.PeerNotSupported {
				return kernel.EREMOTEIO
			}
			d.pages = append(d.pages, p)
		}
	}
	io.mapped = u.Map(t.Task, d.pages, dir)
	m := pageCursor{segs: io.mapped}
	for _, v := range vecs {
		in, left := int(v.Offset%hw.PageSize), int(v.Len)
		open := u.Translates() && in == 0 // may become part of the segment before
		for left > 0 {
			a := m.next()
			n := min(left, hw.PageSize-in)
			if k := len(io.segs) - 1; open && k >= 0 && io.segs[k].Addr+hw.BusAddr(io.segs[k].Len) == a {
				io.segs[k].Len += n
			} else {
				io.segs = append(io.segs, hw.Segment{Addr: a + hw.BusAddr(in), Len: n})
			}
			left -= n
			in, open = 0, true
		}
	}
	return kernel.OK
}

// pageCursor goes through segments of whole pages.
type pageCursor struct {
	segs []hw.Segment
	at   int
}

func (c *pageCursor) next() hw.BusAddr {
	if c.at == c.segs[0].Len {
		c.segs, c.at = c.segs[1:], 0
	}
	a := c.segs[0].Addr + hw.BusAddr(c.at)
	c.at += hw.PageSize
	return a
}

// unmapData is nvme_unmap_data: what was mapped for an ordinary request goes, as one
// operation, and its lists go back.
func (d *Driver) unmapData(t *kernel.Task, io *iod) {
	if len(io.mapped) == 0 {
		return
	}
	mapped := io.mapped
	io.mapped = nil
	d.ctrl.IOMMU.Unmap(t.Task, mapped)
	d.freeLists(t, io)
}
