package blkmq

import (
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// SubmitBio is submit_bio on a queue: the bio ends exactly once, possibly before this
// returns.
func (q *Queue) SubmitBio(t *kernel.Task, b *Bio) {
	t.MightSleep("submit_bio", "")
	// SUB-1
	if lb := uint64(q.Limits.LogicalBlock); b.Sector*hw.SectorSize%lb != 0 || uint64(b.Size)%lb != 0 {
		b.end(t, kernel.BLK_STS_IOERR)
		return
	}
	if t.Touch(&q.refs, kernel.RefcountGet); q.dying || int64(b.Sector*hw.SectorSize)+int64(b.Size) > q.Size {
		b.end(t, kernel.BLK_STS_IOERR)
		return
	}
	nsegs, err := q.segments(b)
	if err != kernel.OK {
		b.end(t, kernel.BlkStatusOf(err))
		return
	}
	rq := &Request{q: q}
	t.At("SUB-1", "allocate request")
	if !q.Tags.get(t, rq, b.Nowait) {
		t.Say("SUB-1", "no tag, may not wait: -EAGAIN")
		b.end(t, kernel.BLK_STS_AGAIN)
		return
	}
	// SUB-2
	rq.Bio, rq.Nsegs = b, nsegs
	rq.Frag = token.Frag{Use: b.Use, Off: uint64(b.Done), Len: uint64(b.Size), Nowait: b.Nowait}
	if o := b.Use.Token.Submit(t, &rq.Frag); o.Status != kernel.BLK_STS_OK { // SUB-3
		s := o.Status
		if s != kernel.BLK_STS_AGAIN {
			s = kernel.BLK_STS_RESOURCE
		}
		if o.FreeRequest {
			rq.free(t, token.NeverQueued)
			t.Sayf("SUB-3", "bio ends with %v", s.Errno())
		} else {
			t.Stressf("SUB-3", "bio ends with %v; its request keeps tag %d", s.Errno(), rq.tag)
		}
		b.end(t, s)
		return
	}
	q.dispatch(t, rq) // SUB-4
}

// segments checks what the splitter checks of a token bio and counts its segments
// (BIO-4).
func (q *Queue) segments(b *Bio) (uint32, kernel.Errno) {
	offset := b.Done % hw.PageSize
	nsegs := (b.Size + offset + hw.PageSize - 1) / hw.PageSize
	if offset&q.Limits.DmaAlignment != 0 {
		return 0, kernel.EINVAL
	}
	if b.Size > q.Limits.MaxBytes || nsegs > q.Limits.MaxSegments {
		if b.Nowait {
			return 0, kernel.EAGAIN
		}
		return 0, kernel.EOPNOTSUPP
	}
	return nsegs, kernel.OK
}

// dispatch gives the request to the driver. Drivers run in an RCU read section and may
// not sleep.
func (q *Queue) dispatch(t *kernel.Task, rq *Request) {
	t.RCUReadLock()
	m, o := rq.Frag.Use.Token.Queue(t, &rq.Frag)
	s := o.Status
	if s == kernel.BLK_STS_OK {
		rq.Map = m
		s = q.Ops.QueueRq(t, rq)
	}
	t.RCUReadUnlock()
	if s != kernel.BLK_STS_OK {
		rq.Bio.end(t, s)
		rq.free(t, token.Single)
	}
}
