package blkmq

import (
	"fmt"

	"dmasim/sim"
	"dmasim/sim/kernel"
)

// Hctx is struct blk_mq_hw_ctx: a hardware queue, and the requests that wait for it. The
// software queues in front of it are one list here.
//
//dmasim:private what changes is part of Tags.obj, whose operations declare it
type Hctx struct {
	// Num is queue_num.
	Num int

	q    *Queue
	tags *Tags

	// These are part of Tags.obj.
	dispatch []*Request // were refused, and come before all others
	soft     []*Request // of the software queues
	restart  bool       // BLK_MQ_S_SCHED_RESTART: run the queue when a request is freed
	stopped  bool       // BLK_MQ_S_STOPPED

	work  kernel.DelayedWork // run_work
	timed bool               // part of work: it waits for its timer, or ran when that had fired
}

// resourceDelay is BLK_MQ_RESOURCE_DELAY.
const resourceDelay = 3 * kernel.HZ / 1000

func newHctx(t *kernel.Task, q *Queue, n int, tags *Tags) *Hctx {
	h := &Hctx{Num: n, q: q, tags: tags}
	h.work.Init(t, nil, fmt.Sprintf("%s run_work", q.Name), h.runWork)
	return h
}

// hctx is blk_mq_map_queue: which hardware queue a bio of t goes to.
func (q *Queue) hctx(t *kernel.Task, f Flags) *Hctx {
	if len(q.hctxs) == 1 {
		return q.hctxs[0]
	}
	first, n := 0, 0
	for _, h := range q.hctxs {
		if !h.tags.poll {
			n++
		}
	}
	if f&REQ_POLLED != 0 && n < len(q.hctxs) {
		first, n = n, len(q.hctxs)-n
	}
	return q.hctxs[first+t.CPU()%n]
}

// pending is blk_mq_hctx_has_pending.
func (h *Hctx) pending() bool { return len(h.dispatch)+len(h.soft) > 0 }

// insert is blk_mq_insert_request: at the end of the software queue, or at its head.
func (h *Hctx) insert(t *kernel.Task, atHead bool, rqs ...*Request) {
	t.Step(sim.Op{Verb: "insert request", Obj: &h.tags.obj})
	t.Locked(&h.tags.obj)
	for _, rq := range rqs {
		rq.handOver(t)
	}
	if atHead {
		h.soft = append(append([]*Request(nil), rqs...), h.soft...)
	} else {
		h.soft = append(h.soft, rqs...)
	}
}

// bypass is blk_mq_request_bypass_insert: onto the dispatch list.
func (h *Hctx) bypass(t *kernel.Task, rqs ...*Request) {
	t.Step(sim.Op{Verb: "insert into dispatch list", Obj: &h.tags.obj})
	t.Locked(&h.tags.obj)
	for _, rq := range rqs {
		rq.handOver(t)
	}
	h.dispatch = append(h.dispatch, rqs...)
}

// Run is blk_mq_run_hw_queue: dispatches what waits, here or, if that is asked for, by
// kblockd.
func (h *Hctx) Run(t *kernel.Task, async bool) {
	if !async && t.Context() >= kernel.InSoftirq {
		t.Warn("blk_mq_run_hw_queue in %s context", t.Context())
	}
	t.Touch(&h.tags.obj, sim.Read)
	t.Touch(&h.q.refs, using)
	if h.q.quiesced > 0 || !h.pending() {
		return
	}
	if async || t.InAtomic() {
		h.delay(t, 0)
		return
	}
	h.dispatchRequests(t)
}

// delay is blk_mq_delay_run_hw_queue.
func (h *Hctx) delay(t *kernel.Task, d kernel.Jiffies) {
	if h.stopped {
		return
	}
	var first kernel.Point
	if h.pending() {
		first = append(h.dispatch[:len(h.dispatch):len(h.dispatch)], h.soft...)[0].handed
	}
	t.OnBehalf(first, func() { h.q.kblockd.ModDelayed(t, &h.work, d) })
	h.timed = d > 0
}

// RunQueues is blk_mq_run_hw_queues.
func (q *Queue) RunQueues(t *kernel.Task, async bool) {
	for _, h := range q.hctxs {
		h.Run(t, async)
	}
}

// Stop is blk_mq_stop_hw_queue: nothing is dispatched until StartStopped.
func (h *Hctx) Stop(t *kernel.Task) {
	t.Touch(&h.tags.obj, sim.Write)
	t.Touch(&h.q.refs, sim.Write) // see held
	h.stopped = true
}

// StartStopped is blk_mq_start_stopped_hw_queue.
func (h *Hctx) StartStopped(t *kernel.Task, async bool) {
	t.Touch(&h.tags.obj, sim.Write)
	t.Touch(&h.q.refs, sim.Write)
	if h.stopped {
		h.stopped = false
		h.release(t)
		h.Run(t, async)
	}
}

// release notes that what waits could not be dispatched before: t is needed for it.
func (h *Hctx) release(t *kernel.Task) {
	t.Touch(&h.tags.obj, sim.Read)
	for _, list := range [][]*Request{h.dispatch, h.soft, h.q.requeues.list} {
		for _, rq := range list {
			if rq.Hctx == h {
				rq.handed = t.Point()
			}
		}
	}
}

// freed is the end of __blk_mq_free_request: the hardware queue is run if somebody waits for
// that, and the usage references go.
func (h *Hctx) freed(t *kernel.Task, n int) {
	if h.restart {
		t.Touch(&h.tags.obj, sim.Write)
		h.restart = false
		h.Run(t, true)
	}
	h.q.exit(t, n)
}
