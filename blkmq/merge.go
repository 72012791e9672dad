package blkmq

import (
	"dmasim/iter"
	"dmasim/sim/kernel"
)

// plugMerge is blk_attempt_plug_merge: the bio becomes part of the plug's last request of
// the queue if it follows that on the device, or comes right before it. Bios with a token
// never do (BIO-1).
func (q *Queue) plugMerge(t *kernel.Task, b *Bio, nsegs uint32) bool {
	p := plugOf(t)
	if p == nil || b.Flags&nomerge != 0 || b.Use != nil || !b.Op.data() {
		return false
	}
	for i := len(p.list) - 1; i >= 0; i-- {
		if rq := p.list[i]; rq.q == q {
			return rq.merge(b, nsegs)
		}
		if !p.multiple {
			break
		}
	}
	return false
}

// merge is blk_attempt_bio_merge.
func (rq *Request) merge(b *Bio, nsegs uint32) bool {
	l := &rq.q.Limits
	if rq.Op != b.Op || rq.Flags&nomerge != 0 || rq.Flags&(REQ_POLLED|REQ_ATOMIC) != b.Flags&(REQ_POLLED|REQ_ATOMIC) || rq.Nsegs+nsegs > l.MaxSegments {
		return false
	}
	switch {
	case rq.Sector+uint64(rq.Bytes/sectorSize) == b.Sector: // ll_back_merge_fn
		if !l.room(rq.Sector, rq.Bytes, b.Size) || l.gap(last(rq.tail), b.Bvec(b.Vecs)) {
			return false
		}
		rq.tail.next, rq.tail = b, b
	case b.Sector+b.sectors() == rq.Sector: // ll_front_merge_fn
		if !l.room(b.Sector, rq.Bytes, b.Size) || l.gap(last(b), rq.Bio.Bvec(rq.Bio.Vecs)) {
			return false
		}
		b.next, rq.Bio, rq.Sector = rq.Bio, b, b.Sector
	default:
		return false
	}
	rq.Bytes += b.Size
	rq.Nsegs += nsegs
	if b.Nowait() {
		rq.Flags |= REQ_NOWAIT
	}
	return true
}

// room tells whether a request of a and b bytes may begin at the sector
// (blk_rq_get_max_sectors).
func (l *Limits) room(sector uint64, a, b uint32) bool {
	most := uint64(l.MaxSectors)
	if c := uint64(l.ChunkSectors); c != 0 {
		most = min(most, c-sector%c)
	}
	return uint64(a)+uint64(b) <= most*sectorSize
}

func last(b *Bio) (v iter.Bvec) {
	for v = range b.Bvecs {
	}
	return v
}
