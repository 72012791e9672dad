package blkmq

import (
	"dmasim/sim/kernel"
)

// Plug is struct blk_plug: a task collects requests in it. They have tags and usage
// references, and the driver does not see them until the plug is flushed: when it is full,
// at its end, or before the task sleeps. Before any wait, here, whether it would have slept
// or not.
type Plug struct {
	list      []*Request // mq_list
	cached    []*Request
	announced int // nr_ios: submissions that are still to come
	count     int // rq_count
	multiple  bool
}

const (
	maxPlugged     = 32        // BLK_MAX_REQUEST_COUNT
	plugFlushBytes = 128 << 10 // BLK_PLUG_FLUSH_SIZE
)

// StartPlug is blk_start_plug_nr_ios: n submissions are to be expected. Inside another plug
// it does nothing, and returns one that does nothing either.
func StartPlug(t *kernel.Task, n int) *Plug {
	p := &Plug{announced: min(n, maxPlugged)}
	if t.Plug == nil {
		t.Plug = p
	}
	return p
}

// Finish is blk_finish_plug.
func (p *Plug) Finish(t *kernel.Task) {
	if t.Plug == p {
		p.flush(t, false)
		t.Plug = nil
	}
}

// Schedule flushes the plug because the task may sleep now.
func (p *Plug) Schedule(t *kernel.Task) {
	if p.holds() && !t.InAtomic() {
		p.flush(t, true)
	}
}

func (p *Plug) holds() bool { return p.count > 0 || len(p.cached) > 0 }

func plugOf(t *kernel.Task) *Plug {
	p, _ := t.Plug.(*Plug)
	return p
}

// peekCached is blk_mq_peek_cached_request: a request that the plug keeps for the queue.
func (q *Queue) peekCached(t *kernel.Task, b *Bio) *Request {
	p := plugOf(t)
	if p == nil || len(p.cached) == 0 {
		return nil
	}
	rq := p.cached[0]
	if rq.q != q || rq.Hctx.tags.poll != (b.Flags&REQ_POLLED != 0 && q.polls()) {
		return nil
	}
	return rq
}

// useCached is blk_mq_use_cached_rq. Had the task slept since it looked, the flush would
// have taken the request away.
func useCached(t *kernel.Task, rq *Request) {
	p := plugOf(t)
	if len(p.cached) == 0 || p.cached[0] != rq {
		t.Warn("blk_mq_use_cached_rq: the cached request has gone")
		return
	}
	p.cached = p.cached[1:]
}

// add is blk_add_rq_to_plug.
func (p *Plug) add(t *kernel.Task, rq *Request) {
	most := maxPlugged
	if p.multiple {
		most *= 2
	}
	if n := len(p.list); n > 0 && (p.count >= most || p.list[n-1].Bytes >= plugFlushBytes) {
		p.flushList(t, false)
	}
	if n := len(p.list); n > 0 && p.list[n-1].q != rq.q {
		p.multiple = true
	}
	rq.handOver(t)
	p.list = append(p.list, rq)
	p.count++
}

// flush is __blk_flush_plug. Cached requests are freed in any case: they hold references of
// their queue, which nobody is to wait for.
func (p *Plug) flush(t *kernel.Task, schedule bool) {
	p.flushList(t, schedule)
	for len(p.cached) > 0 {
		rq := p.cached[0]
		p.cached = p.cached[1:]
		rq.Free(t)
	}
}

// flushList is blk_mq_flush_plug_list.
func (p *Plug) flushList(t *kernel.Task, schedule bool) {
	if p.count == 0 { // or in the middle of it already
		return
	}
	p.count = 0
	if !p.multiple && !schedule {
		p.issue(t)
	}
	for len(p.list) > 0 {
		p.insert(t, schedule)
	}
	p.multiple = false
}

// issue gives the requests, which are of one queue, to the driver.
func (p *Plug) issue(t *kernel.Task) {
	q := p.list[0].q
	t.RCUReadLockHere()
	defer t.RCUReadUnlock()
	if d, ok := q.Ops.(ListQueuer); ok {
		if t.Touch(&q.refs, using); q.quiesced == 0 {
			if p.list = q.queueList(t, d, p.list); len(p.list) == 0 {
				return
			}
		}
	}
	q.issuePlug(t, p)
}

// queueList calls queue_rqs for those whose token is ready, and returns what is left over.
func (q *Queue) queueList(t *kernel.Task, d ListQueuer, list []*Request) []*Request {
	var ready, left []*Request
	for i, rq := range list {
		rq.Last = i == len(list)-1
		if u := rq.Frag.Use; u != nil {
			m, o := u.Token.Queue(t, &rq.Frag)
			if o.Status != kernel.BLK_STS_OK {
				left = append(left, rq)
				continue
			}
			rq.Map = m
		}
		ready = append(ready, rq)
	}
	if len(ready) > 0 {
		ready = d.QueueRqs(t, ready)
	}
	return append(ready, left...)
}

// issuePlug is blk_mq_plug_issue_direct. What the driver has no room for goes to the dispatch
// list, and what follows is left in the plug's list (C-BLK-24).
func (q *Queue) issuePlug(t *kernel.Task, p *Plug) {
	queued := 0
	var h *Hctx
	s := kernel.BLK_STS_OK
	for len(p.list) > 0 {
		rq := p.list[0]
		p.list = p.list[1:]
		if h != nil && h != rq.Hctx {
			h.commit(t, queued)
			queued = 0
		}
		h = rq.Hctx
		if q.held(t, h) {
			h.insert(t, false, rq)
			h.Run(t, false)
			queued++
			continue
		}
		switch s = q.queueHanded(t, rq, len(p.list) == 0, false); s {
		case kernel.BLK_STS_OK:
			queued++
		case kernel.BLK_STS_RESOURCE, kernel.BLK_STS_DEV_RESOURCE:
			rq.unstart(t)
			h.bypass(t, rq)
			h.Run(t, false)
			h.commit(t, queued)
			return
		default:
			rq.End(t, s)
		}
	}
	if s != kernel.BLK_STS_OK {
		h.commit(t, queued)
	}
}

// insert is blk_mq_dispatch_plug_list: all requests of the first one's hardware queue go to
// that. When the task is about to sleep, kblockd runs it.
func (p *Plug) insert(t *kernel.Task, schedule bool) {
	h := p.list[0].Hctx
	var these, others []*Request
	for _, rq := range p.list {
		if rq.Hctx == h {
			these = append(these, rq)
		} else {
			others = append(others, rq)
		}
	}
	p.list = others
	h.insert(t, false, these...)
	async := schedule
	for _, rq := range these {
		async = async || rq.Nowait()
	}
	h.Run(t, async)
}
