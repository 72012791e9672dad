package blkmq

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// EH is enum blk_eh_timer_return: what a driver has done about a timeout.
type EH uint8

const (
	// BLK_EH_DONE: the driver has completed the request, or will.
	BLK_EH_DONE EH = iota
	// BLK_EH_RESET_TIMER: the request gets its full time again.
	BLK_EH_RESET_TIMER
)

// Timeouter is an Ops with timeout: a request was not completed in time. It runs in a
// worker, and may sleep.
type Timeouter interface {
	Timeout(t *kernel.Task, rq *Request) EH
}

// timeouts is the timer of a queue with the work that looks for requests whose time is up.
// There is none if the driver has no handler. The timer is named for the queue: "nvme0n1
// timeout". It goes on running when the requests that it was for have completed, and finds
// nothing then.
type timeouts struct {
	on      bool
	q       *Queue
	obj     sim.Object // the states of requests, and their deadlines
	armed   bool
	expires kernel.Jiffies
	work    kernel.DelayedWork
}

func (w *timeouts) init(t *kernel.Task, q *Queue) {
	w.q = q
	if _, w.on = q.Ops.(Timeouter); w.on {
		t.Own(&w.obj, "requests", q.Name+" requests")
		w.work.Init(t, nil, q.Name+" timeout", w.run)
	}
}

// touch declares a change of a request's state.
func (w *timeouts) touch(t *kernel.Task) {
	if w.on {
		t.Touch(&w.obj, using)
	}
}

// add is blk_add_timer.
func (w *timeouts) add(t *kernel.Task, rq *Request) {
	if !w.on {
		return
	}
	d := rq.Timeout
	if d == 0 {
		d = w.q.Timeout
	}
	if d == 0 {
		d = 30 * kernel.HZ
	}
	rq.timedOut = false
	rq.deadline = t.K.Jiffies(t) + d
	w.arm(t, (rq.deadline+kernel.HZ-1)/kernel.HZ*kernel.HZ) // by whole seconds
}

// arm sets the timer for at, if it is not to fire before that. A request that times out does not depend
// on whoever did so: it would have armed the timer itself. What it depends on is how it was started.
func (w *timeouts) arm(t *kernel.Task, at kernel.Jiffies) {
	t.Touch(&w.obj, using)
	if w.armed && w.expires <= at {
		return
	}
	t.Touch(&w.obj, sim.Write)
	w.armed, w.expires = true, at
	t.Asking(func() bool { return w.q.kblockd.ModDelayed(t, &w.work, max(at-t.K.Jiffies(t), 0)) })
}

// next is how long it takes until somebody looks for timeouts next, if a request can time out.
func (w *timeouts) next(t *kernel.Task) (left kernel.Jiffies, waits bool) {
	if !w.on {
		return 0, false
	}
	t.Touch(&w.obj, sim.Read)
	w.each(func(rq *Request) { waits = waits || rq.state == inFlight && !rq.timedOut })
	return max(w.expires-t.K.Jiffies(t), 0), waits && w.armed
}

// AbortRequest is blk_abort_request: the request's time is up now.
func (rq *Request) Abort(t *kernel.Task) {
	w := &rq.q.timer
	t.Touch(&w.obj, sim.Write)
	rq.deadline = t.K.Jiffies(t)
	w.armed, w.expires = true, rq.deadline
	w.q.kblockd.ModDelayed(t, &w.work, 0)
}

// expired is blk_mq_req_expired.
func (rq *Request) expired(now kernel.Jiffies) bool {
	return rq.state == inFlight && !rq.timedOut && rq.deadline <= now
}

// run is blk_mq_timeout_work. It does not mind that the queue is being frozen: the freeze may
// be waiting for just these requests.
func (w *timeouts) run(t *kernel.Task) {
	q := w.q
	t.Touch(&q.refs, using)
	if q.frozen > 0 && q.usage == 0 { // percpu_ref_tryget
		return
	}
	q.usage++
	t.Step(sim.Op{Verb: "look for timeouts", Obj: &w.obj})
	// A timer that races fires before the clock gets there.
	now := max(t.K.Jiffies(t), w.expires)
	w.armed = false
	found := false
	w.each(func(rq *Request) { found = found || rq.expired(now) })
	if found {
		q.WaitQuiesceDone(t) // submissions that were running have started their requests
		for _, rq := range w.requests(t) {
			w.handle(t, rq, now)
		}
	}
	next := kernel.MaxScheduleTimeout
	w.each(func(rq *Request) {
		if rq.state == inFlight && !rq.timedOut {
			next = min(next, rq.deadline)
		}
	})
	if next != kernel.MaxScheduleTimeout {
		w.arm(t, max(next, now))
	}
	q.exit(t, 1)
}

// handle is blk_mq_handle_expired: with a reference, so that the request is not freed while
// the driver looks at it.
func (w *timeouts) handle(t *kernel.Task, rq *Request, now kernel.Jiffies) {
	t.Step(sim.Op{Verb: "timeout", Obj: &w.obj})
	if !rq.expired(now) {
		return
	}
	t.OnBehalf(rq.started, func() {
		rq.refs++
		rq.timedOut = true
		if w.q.Ops.(Timeouter).Timeout(t, rq) == BLK_EH_RESET_TIMER {
			w.add(t, rq)
		}
		t.Touch(&w.obj, sim.Write)
		if rq.refs--; rq.dead { // blk_mq_put_rq_ref
			t.Acquire(&w.obj)
			rq.dead, rq.state = false, complete
			rq.free(t, rq.path)
		}
	})
}

func (w *timeouts) each(fn func(*Request)) {
	for _, h := range w.q.hctxs {
		for _, rq := range h.tags.used {
			if rq != nil && rq.q == w.q {
				fn(rq)
			}
		}
	}
}

func (w *timeouts) requests(t *kernel.Task) (out []*Request) {
	for _, h := range w.q.hctxs {
		t.Touch(&h.tags.obj, sim.Read)
	}
	w.each(func(rq *Request) { out = append(out, rq) })
	return out
}

// BusyIter is blk_mq_tagset_busy_iter over the queue's requests: calls fn for each that was
// started and not freed, with a reference.
func (q *Queue) BusyIter(t *kernel.Task, fn func(t *kernel.Task, rq *Request)) {
	w := &q.timer
	for _, rq := range w.requests(t) {
		if w.on {
			t.Step(sim.Op{Verb: "look at request", Obj: &w.obj})
		}
		if rq.state == inFlight || rq.state == complete {
			fn(t, rq)
		}
	}
}
