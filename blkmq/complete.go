package blkmq

import (
	"dmasim/iter"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// MarkComplete is the first part of blk_mq_complete_request: the driver has heard of the end
// of the request. The kernel has no protection against a second time; here it fails the
// run.
func (rq *Request) MarkComplete(t *kernel.Task) {
	if rq.state != inFlight {
		t.Fail(iter.DoubleCompletion, "request with tag %d completed, but it is not in flight (%s)", rq.tag, t.Task)
	}
	rq.q.timer.touch(t)
	rq.state = complete
	t.Ends("tag %d of %s", rq.tag, rq.q.Name)
}

// Complete is blk_mq_complete_request for a driver whose complete only ends the request:
// it ends with the status, by itself or, on a queue that batches and without an error, as
// the only one of a batch (CMP-3a). Any context.
func (rq *Request) Complete(t *kernel.Task, s kernel.BlkStatus) {
	var b Batch
	rq.MarkComplete(t)
	if b.Add(rq, s) {
		b.End(t)
		return
	}
	rq.End(t, s)
}

// CompleteRemote is blk_mq_complete_request: the driver's complete is called, here or in a
// softirq of the CPU that submitted. What is polled completes here.
func (rq *Request) CompleteRemote(t *kernel.Task) {
	rq.MarkComplete(t)
	done := rq.q.Ops.(Completer)
	if rq.q.SoftirqDone && rq.Flags&REQ_POLLED == 0 {
		t.Softirq("blk_done "+rq.q.Name, func(t *kernel.Task) { done.Complete(t, rq) })
		return
	}
	done.Complete(t, rq)
}

// Cancel marks the request as one that is ended because the device was reset or has gone,
// and not because it completed: the token's Free stage is told.
func (rq *Request) Cancel() { rq.cancelled = true }

// End is blk_mq_end_request: all of the request ends (CMP-2), and it is freed by itself
// (CMP-3).
func (rq *Request) End(t *kernel.Task, s kernel.BlkStatus) {
	if rq.flush != nil && !rq.flush.over {
		rq.flushed(t, s)
		return
	}
	if rq.Update(t, s, rq.Bytes) {
		t.BUG("blk_mq_end_request: something is left of the request with tag %d", rq.tag)
	}
	if rq.EndIO != nil && !rq.EndIO(t, rq, s) {
		return
	}
	p := token.Single
	if rq.cancelled {
		p = token.Cancelled
	}
	rq.free(t, p)
}

// Update is blk_update_request: the first n bytes end with the status. Bios that are
// covered in full end; one that is covered in part goes on with the rest. It tells whether
// anything is left.
func (rq *Request) Update(t *kernel.Task, s kernel.BlkStatus, n uint32) bool {
	total := uint32(0)
	for b := rq.Bio; b != nil; b = rq.Bio {
		m := min(b.Size, n)
		total += m
		n -= m
		if m == b.Size {
			rq.Bio = b.next
			b.next = nil
			b.Advance(t, m)
			t.At(b.step("CMP-2"), "bio_endio()")
			b.End(t, s)
		} else {
			if s != kernel.BLK_STS_OK {
				b.status = s
			}
			b.Advance(t, m)
		}
		if n == 0 {
			break
		}
	}
	if rq.Bio == nil {
		rq.Bytes = 0 // the sector stays, for those who report
		return false
	}
	rq.Bytes -= total
	rq.Sector += uint64(total / sectorSize)
	rq.Frag.Off += uint64(total)
	rq.Frag.Len -= min(uint64(total), rq.Frag.Len)
	rq.Nsegs = rq.segments()
	return true
}

// segments is blk_recalc_rq_segments. As posted, it does not know tokens: what it would
// take for a vector is not a payload, so the number stays.
func (rq *Request) segments() uint32 {
	if rq.Frag.Use != nil || !rq.Op.data() {
		return rq.Nsegs
	}
	f, l := fit{}, rq.q.Limits
	l.MaxSegments = 1 << 31
	for v := range rq.Vecs {
		l.cutVec(v, &f, 1<<32-1)
	}
	return f.nsegs
}

// Batch is struct io_comp_batch: requests of one queue that completed together (CMP-3a).
type Batch struct{ rqs []*Request }

// Add is blk_mq_add_to_batch: false if the request has to be ended by itself, as on a queue
// that does not batch, with an error, or with an end of its own. With one hardware queue completions go by way of
// a softirq, and none is batched.
func (b *Batch) Add(rq *Request, s kernel.BlkStatus) bool {
	if !rq.q.Batch || len(rq.q.hctxs) == 1 || s != kernel.BLK_STS_OK || rq.EndIO != nil || rq.flush != nil || len(b.rqs) > 0 && b.rqs[0].q != rq.q {
		return false
	}
	b.rqs = append(b.rqs, rq)
	return true
}

// Len is the number of requests in the batch.
func (b *Batch) Len() int { return len(b.rqs) }

// End is blk_mq_end_request_batch: the bios end one after the other; tags and queue
// references go together, for each hardware queue.
func (b *Batch) End(t *kernel.Task) {
	var gone []*Request
	put := func() {
		if len(gone) > 0 {
			h := gone[0].Hctx
			t.Atf(gone[0].Step("CMP-3a"), "put %s", numbered(len(gone), "tag"))
			h.tags.put(t, gone...)
			h.freed(t, len(gone))
			gone = nil
		}
	}
	for _, rq := range b.rqs {
		rq.Update(t, kernel.BLK_STS_OK, rq.Bytes)
		if !rq.drop(t, token.Batch) {
			continue
		}
		if len(gone) > 0 && gone[0].Hctx != rq.Hctx {
			put()
		}
		gone = append(gone, rq)
	}
	b.rqs = nil
	put()
}
