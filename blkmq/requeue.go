package blkmq

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// requeues is the requeue list of a queue, with the work that inserts again what is on it.
type requeues struct {
	obj  sim.Object // requeue_lock
	list []*Request
	work kernel.DelayedWork
}

func (r *requeues) init(t *kernel.Task, q *Queue) {
	t.Own(&r.obj, "requeue list", q.Name)
	r.work.Init(t, nil, q.Name+" requeue_work", q.requeueWork)
}

// Requeue is blk_mq_requeue_request: the driver gives the request back to be tried again. It
// keeps its tag and its usage reference. Without a kick it waits for KickRequeueList, and depends on who
// calls that. Any context.
func (rq *Request) Requeue(t *kernel.Task, kick bool) {
	if kick {
		rq.RequeueAndKick(t, 0)
		return
	}
	rq.unstart(t)
	rq.handed = kernel.Point{}
	rq.q.giveBack(t, rq)
}

// RequeueAndKick is Requeue and DelayKickRequeueList, one after the other. Who else kicks the list in
// between, or before the time is over, is not needed.
func (rq *Request) RequeueAndKick(t *kernel.Task, d kernel.Jiffies) {
	rq.unstart(t)
	rq.q.requeue(t, rq, d)
}

func (q *Queue) requeue(t *kernel.Task, rq *Request, d kernel.Jiffies) {
	rq.handed = t.Point()
	q.giveBack(t, rq)
	q.DelayKickRequeueList(t, d)
}

func (q *Queue) giveBack(t *kernel.Task, rq *Request) {
	t.Step(sim.Op{Verb: "requeue request", Obj: &q.requeues.obj})
	t.Locked(&q.requeues.obj)
	q.requeues.list = append(q.requeues.list, rq)
}

// KickRequeueList is blk_mq_kick_requeue_list.
func (q *Queue) KickRequeueList(t *kernel.Task) { q.DelayKickRequeueList(t, 0) }

// DelayKickRequeueList is blk_mq_delay_kick_requeue_list.
func (q *Queue) DelayKickRequeueList(t *kernel.Task, d kernel.Jiffies) {
	for _, rq := range q.requeues.list {
		rq.handOver(t)
	}
	q.kblockd.ModDelayed(t, &q.requeues.work, d)
}

// requeueWork is blk_mq_requeue_work: what the driver has prepared goes to the dispatch list,
// the rest to the head of the software queue.
func (q *Queue) requeueWork(t *kernel.Task) {
	t.Touch(&q.requeues.obj, sim.Write)
	t.Locked(&q.requeues.obj)
	list := q.requeues.list
	q.requeues.list = nil
	for _, rq := range list {
		if rq.DontPrep || rq.Op.Passthrough() || rq.Op == REQ_OP_FLUSH {
			rq.Hctx.bypass(t, rq)
		} else {
			rq.Hctx.insert(t, true, rq)
		}
	}
	q.RunQueues(t, false)
}
