package blkmq

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// Drivers run in an RCU read section, which quiescing waits for. It begins where the
// dispatcher looks whether the queue is quiesced.

// issue is blk_mq_try_issue_directly (SUB-4).
func (q *Queue) issue(t *kernel.Task, rq *Request) {
	h := rq.Hctx
	t.RCUReadLockHere()
	defer t.RCUReadUnlock()
	if q.held(t, h) {
		h.insert(t, false, rq)
		h.Run(t, false)
		return
	}
	switch s := q.queueRq(t, rq, true); s {
	case kernel.BLK_STS_OK:
	case kernel.BLK_STS_RESOURCE, kernel.BLK_STS_DEV_RESOURCE:
		rq.unstart(t)
		h.bypass(t, rq)
		h.Run(t, false)
	default:
		rq.End(t, s)
	}
}

// held tells whether nothing may be given to the driver now.
func (q *Queue) held(t *kernel.Task, h *Hctx) bool {
	t.Touch(&q.refs, using)
	return q.quiesced > 0 || h.stopped
}

// queueRq is one try: the token's Queue stage, and the driver's queue_rq.
func (q *Queue) queueRq(t *kernel.Task, rq *Request, last bool) kernel.BlkStatus {
	rq.Last = last
	if u := rq.Frag.Use; u != nil {
		m, o := u.Token.Queue(t, &rq.Frag)
		if o.Status != kernel.BLK_STS_OK {
			return o.Status
		}
		rq.Map = m
	}
	return q.Ops.QueueRq(t, rq)
}

// handOver notes that t lets go of the request: it is in a plug, which is flushed before t sleeps, or
// on a list, which somebody will come for. A fence that waits for the request depends on what was
// done until then, and not on who happens to dispatch it.
func (rq *Request) handOver(t *kernel.Task) {
	if rq.handed == (kernel.Point{}) {
		rq.handed = t.Point()
	}
}

// Handed is where the request was handed over for somebody to dispatch it; the zero point if who does
// that is needed for it. A driver that makes several requests known to the device at once does it on
// behalf of each.
func (rq *Request) Handed() kernel.Point { return rq.handed }

// queueHanded is queueRq for what was handed over; work says that t is run_work, which whoever hands over has run
// for all that wait.
func (q *Queue) queueHanded(t *kernel.Task, rq *Request, last, work bool) (s kernel.BlkStatus) {
	t.OnBehalf(rq.handed, func() {
		if work {
			t.Serving()
		}
		s = q.queueRq(t, rq, last)
	})
	return s
}

// unstart is __blk_mq_requeue_request (CMP-4): the request is as if it had not been given to
// the driver. The token's Requeue stage is called.
func (rq *Request) unstart(t *kernel.Task) {
	if rq.Frag.Use != nil {
		t.Mark("CMP-4")
		rq.Frag.Use.Token.Requeue(t, &rq.Frag)
	}
	if rq.state != idle {
		rq.q.timer.touch(t)
		rq.state, rq.timedOut = idle, false
	}
}

// dispatchRequests is blk_mq_sched_dispatch_requests: first what was refused before, and
// only if all of that could be dispatched what is new. While something is on the dispatch
// list the end of a request runs the queue again.
func (h *Hctx) dispatchRequests(t *kernel.Task) { h.dispatchFrom(t, false, false) }

// runWork is blk_mq_run_work_fn.
func (h *Hctx) runWork(t *kernel.Task) { h.dispatchFrom(t, true, h.timed) }

// dispatchFrom dispatches by run_work or by who comes by; timed says that it is the former, and that its
// timer had it run.
func (h *Hctx) dispatchFrom(t *kernel.Task, work, timed bool) {
	t.RCUReadLockHere()
	defer t.RCUReadUnlock()
	if h.q.held(t, h) {
		return
	}
	t.Step(sim.Op{Verb: "dispatch", Obj: &h.tags.obj})
	t.Locked(&h.tags.obj)
	if list := h.dispatch; len(list) > 0 {
		h.dispatch, h.restart = nil, true
		if !h.dispatchList(t, list, work, timed) || h.q.held(t, h) {
			return
		}
		t.Touch(&h.tags.obj, sim.Write)
		t.Locked(&h.tags.obj)
	}
	list := h.soft
	h.soft = nil
	h.dispatchList(t, list, work, timed)
}

// dispatchList is blk_mq_dispatch_rq_list: what the driver refuses, and all that follows,
// goes to the dispatch list. True if nothing did.
func (h *Hctx) dispatchList(t *kernel.Task, list []*Request, work, timed bool) bool {
	queued := 0
	delay := resourceDelay
	s := kernel.BLK_STS_OK
	for len(list) > 0 && s == kernel.BLK_STS_OK {
		rq := list[0]
		list = list[1:]
		switch s = h.q.queueHanded(t, rq, len(list) == 0, work); s {
		case kernel.BLK_STS_OK:
			queued++
		case kernel.BLK_STS_RESOURCE, kernel.BLK_STS_DEV_RESOURCE:
			rq.unstart(t)
			if timed {
				delay = rq.retryDelay(t)
			}
			list = append([]*Request{rq}, list...)
		default:
			t.OnBehalf(rq.handed, func() { rq.End(t, s) })
			if len(list) > 0 {
				s = kernel.BLK_STS_OK
			}
		}
	}
	if s != kernel.BLK_STS_OK {
		h.commit(t, queued)
	}
	if len(list) == 0 {
		return true
	}
	h.bypass(t, list...)
	switch {
	case !h.restart:
		h.Run(t, true)
	case s == kernel.BLK_STS_RESOURCE:
		h.delay(t, delay)
	}
	return false
}

// refusals is how often run_work may find a request refused when its timer has fired. That is when there is
// nothing else to do until other timers fire.
const refusals = 4

// retryDelay is when a request is tried again. The kernel goes on trying: for ever, which is reported, or until
// the driver deals with a request that has what this one needs, and that times out. The tries in between are left
// out: only other timers could change what they find.
func (rq *Request) retryDelay(t *kernel.Task) kernel.Jiffies {
	if rq.refused++; rq.refused <= refusals {
		return resourceDelay
	}
	left, waits := rq.q.timer.next(t)
	if !waits {
		t.Livelock("the driver has refused the request with tag %d of %s %d times, and nothing else goes on", rq.tag, rq.q.Name, rq.refused)
	}
	rq.refused = 0
	return left + resourceDelay
}

// commit is blk_mq_commit_rqs: a promise that more would follow was not kept.
func (h *Hctx) commit(t *kernel.Task, queued int) {
	if c, ok := h.q.Ops.(Committer); ok && queued > 0 {
		c.CommitRqs(t, h)
	}
}
