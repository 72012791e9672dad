package blkmq

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// flushing is what a request goes through that wants the write cache flushed before its
// data, or after it because the device cannot write through (block/blk-flush.c). The flushes
// are requests of their own, with the tag of the request that they are for. Two that wait
// for a flush at the same time do not share one, as they do in the kernel.
type flushing struct {
	pre, data, post bool // what is left to do
	over            bool
}

// insertFlush is blk_insert_flush: false if the request goes on as any other.
func (q *Queue) insertFlush(t *kernel.Task, rq *Request) bool {
	f := flushing{
		pre:  rq.Flags&REQ_PREFLUSH != 0,
		data: rq.Bytes > 0,
		post: rq.Flags&REQ_FUA != 0 && !q.FUA,
	}
	rq.Flags &^= REQ_PREFLUSH
	if !q.FUA {
		rq.Flags &^= REQ_FUA
	}
	if !f.data { // a flush is all that is wanted
		rq.Op = REQ_OP_FLUSH
		return false
	}
	if !f.pre && !f.post {
		return false
	}
	rq.flush = &f
	rq.flushed(t, kernel.BLK_STS_OK)
	return true
}

// flushed is blk_flush_complete_seq: a part of what the request goes through has ended, and
// the next one begins. An error ends it all.
func (rq *Request) flushed(t *kernel.Task, s kernel.BlkStatus) {
	f := rq.flush
	switch {
	case s == kernel.BLK_STS_OK && f.pre:
		f.pre = false
		rq.sendFlush(t)
	case s == kernel.BLK_STS_OK && f.data:
		f.data = false
		rq.state = idle
		rq.q.requeue(t, rq, 0)
	case s == kernel.BLK_STS_OK && f.post:
		f.post = false
		rq.sendFlush(t)
	default:
		f.over = true
		rq.End(t, s)
	}
}

// sendFlush is blk_kick_flush.
func (rq *Request) sendFlush(t *kernel.Task) {
	tags := rq.Hctx.tags
	f := &Request{q: rq.q, Hctx: rq.Hctx, Op: REQ_OP_FLUSH, tag: rq.tag, Pdu: rq.Pdu}
	t.Touch(&tags.obj, sim.Write)
	tags.used[rq.tag] = f
	f.EndIO = func(t *kernel.Task, f *Request, s kernel.BlkStatus) bool {
		t.Touch(&tags.obj, sim.Write)
		tags.used[rq.tag], rq.Pdu = rq, f.Pdu
		rq.flushed(t, s)
		return false
	}
	rq.q.requeue(t, f, 0)
}
