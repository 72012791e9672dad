package blkmq

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// newRequest is blk_mq_get_new_requests: nil if there is no tag and the bio may not wait. A
// task that has announced several submissions gets tags for all of them, if there are so
// many, and the plug keeps the others.
func (q *Queue) newRequest(t *kernel.Task, b *Bio) *Request {
	rq := &Request{q: q, Hctx: q.hctx(t, b.Flags)}
	t.At(b.step("SUB-1"), "allocate request")
	if !rq.Hctx.getTag(t, rq, b, b.Nowait()) {
		return nil
	}
	if p := plugOf(t); p != nil && p.announced > 1 {
		for ; p.announced > 1; p.announced-- {
			more := &Request{q: q, Hctx: rq.Hctx}
			if !rq.Hctx.tags.take(t, more) {
				break
			}
			t.Touch(&q.refs, using)
			q.usage++
			p.cached = append(p.cached, more)
		}
		p.announced = 1
	}
	return rq
}

// AllocRequest is blk_mq_alloc_request: a request for a command of a driver's own. It may
// wait for the queue to be unfrozen and for a tag; without REQ_NOWAIT it fails with -ENODEV
// only.
func (q *Queue) AllocRequest(t *kernel.Task, op Op, f Flags) (*Request, kernel.Errno) {
	switch q.enter(t, f&REQ_NOWAIT != 0) {
	case kernel.BLK_STS_OK:
	case kernel.BLK_STS_AGAIN:
		return nil, kernel.EAGAIN
	default:
		return nil, kernel.ENODEV
	}
	rq := &Request{q: q, Hctx: q.hctx(t, f), Op: op, Flags: f}
	if !rq.Hctx.getTag(t, rq, nil, f&REQ_NOWAIT != 0) {
		q.exit(t, 1)
		return nil, kernel.EAGAIN // EWOULDBLOCK
	}
	return rq, kernel.OK
}

// Append is blk_rq_append_bio: gives the request a payload, which must fit the limits. Its
// bio ends with it.
func (rq *Request) Append(t *kernel.Task, b *Bio) kernel.Errno {
	f := rq.q.Limits.cutVecs(b, t.K.Profile)
	switch {
	case f.err != kernel.OK:
		return f.err
	case f.bytes != 0 || rq.Bio != nil:
		return kernel.EINVAL
	}
	b.Queue = rq.q
	rq.Bio, rq.tail, rq.Bytes, rq.Nsegs = b, b, b.Size, f.nsegs
	return kernel.OK
}

// ExecuteNowait is blk_execute_rq_nowait: the request of passthrough goes to the driver
// through the dispatch list. EndIO is called when it ends.
func (rq *Request) ExecuteNowait(t *kernel.Task) {
	if !rq.Op.Passthrough() {
		t.Warn("blk_execute_rq_nowait: %v is no passthrough", rq.Op)
	}
	rq.Hctx.bypass(t, rq)
	rq.Hctx.Run(t, false)
}

// Execute is blk_execute_rq: as ExecuteNowait, and waits for the end. The caller frees the
// request.
func (rq *Request) Execute(t *kernel.Task) kernel.BlkStatus {
	t.MightSleep("blk_execute_rq", "")
	var done sim.Object
	t.Own(&done, "completion", "blk_execute_rq")
	ended, status := false, kernel.BLK_STS_OK
	rq.EndIO = func(t *kernel.Task, _ *Request, s kernel.BlkStatus) bool {
		t.Touch(&done, sim.Write)
		t.Release(&done)
		ended, status = true, s
		return false
	}
	rq.ExecuteNowait(t)
	t.Await("wait_for_completion_io", &done, sim.Read, func() bool { return ended })
	t.Acquire(&done)
	return status
}
