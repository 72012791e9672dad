package blkmq

import "dmasim/sim/kernel"

// CheckLimits fails the run if a request asks for what the device said that it cannot do; it
// is for models of drivers. The kernel looks only at requests that a stacked driver has
// cloned (blk_cloned_rq_check_limits), and a driver takes it for granted.
func (rq *Request) CheckLimits(t *kernel.Task) {
	q := rq.q
	if rq.Op != REQ_OP_READ && rq.Op != REQ_OP_WRITE || rq.Bytes == 0 {
		return
	}
	l := &q.Limits
	nsegs := rq.Nsegs
	if rq.Frag.Use != nil {
		off := rq.Frag.Off
		if (off|uint64(rq.Bytes))&uint64(l.DmaAlignment) != 0 {
			t.Fail(OverLimits, "a request for %d bytes at offset %d of a dma-buf, and %s takes addresses and lengths in units of %d bytes",
				rq.Bytes, off, q.Name, l.DmaAlignment+1)
		}
		nsegs = roundUp(uint32(off%pageSize)+rq.Bytes, pageSize) / pageSize
	}
	if nsegs > l.MaxSegments {
		t.Fail(OverLimits, "a request of %d segments, and %s takes %d", nsegs, q.Name, l.MaxSegments)
	}
	if most := l.MaxSectors * sectorSize; rq.Bytes > most {
		t.Fail(OverLimits, "a request of %d bytes, and %s takes %d", rq.Bytes, q.Name, most)
	}
	if c := uint64(l.ChunkSectors); c != 0 && rq.Sector/c != (rq.Sector+uint64(rq.Bytes-1)/sectorSize)/c {
		t.Fail(OverLimits, "a request of %d bytes at sector %d crosses a chunk of %s", rq.Bytes, rq.Sector, q.Name)
	}
}
