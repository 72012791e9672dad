package blkmq

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// admitted is the guard of a task that waits for a frozen queue.
type admitted Queue

func (q *admitted) Ready(*sim.Task) bool     { return q.frozen == 0 || q.dying }
func (q *admitted) Explain(*sim.Task) string { return "the queue is frozen" }

// enter is blk_queue_enter: takes a usage reference. It waits while the queue is frozen, or
// fails with BLK_STS_AGAIN; on a dead disk it fails with BLK_STS_IOERR.
func (q *Queue) enter(t *kernel.Task, nowait bool) kernel.BlkStatus {
	t.Touch(&q.refs, using)
	switch {
	case q.frozen == 0 && !q.dying:
	case q.dying:
		return kernel.BLK_STS_IOERR
	case nowait:
		return kernel.BLK_STS_AGAIN
	default:
		t.MightSleep("blk_queue_enter", q.Name)
		t.Step(sim.Op{Verb: "blk_queue_enter", Obj: &q.refs, Class: using, Guard: (*admitted)(q)})
		t.Behind("an entry to " + q.Name + ", which was frozen")
		t.Acquire(&q.refs)
		if q.dying {
			return kernel.BLK_STS_IOERR
		}
	}
	q.usage++
	return kernel.BLK_STS_OK
}

// exit is blk_queue_exit, n times. It belongs to the operation before it.
func (q *Queue) exit(t *kernel.Task, n int) {
	t.Touch(&q.refs, using)
	t.Release(&q.refs)
	if q.usage -= n; q.usage < 0 {
		t.Fail(kernel.RefcountMisuse, "blk_queue_exit of %s without a reference (%s)", q.Name, t.Task)
	}
}

// drained is the guard of a freeze.
type drained Queue

func (q *drained) Ready(*sim.Task) bool { return q.usage == 0 }

// Explain says what the freeze waits for.
func (q *drained) Explain(*sim.Task) string {
	s := numbered(q.usage, "usage reference") + " left"
	if q.Tags == nil {
		return s
	}
	for _, tags := range q.Tags.hw {
		if who := tags.explain(); who != "" {
			s += "; " + who
		}
	}
	return s
}

// Freeze is blk_mq_freeze_queue: returns when no request of the queue is left, requeued and
// plugged ones included. Who submits now waits. Freezes nest.
func (q *Queue) Freeze(t *kernel.Task) {
	q.FreezeStart(t)
	q.FreezeWait(t)
}

// FreezeStart is blk_freeze_queue_start. Any context.
func (q *Queue) FreezeStart(t *kernel.Task) {
	t.Step(sim.Op{Verb: "freeze queue", Obj: &q.refs})
	t.Locked(&q.refs)
	if q.frozen++; q.frozen == 1 {
		q.RunQueues(t, t.Context() >= kernel.InSoftirq)
	}
}

// FreezeWait is blk_mq_freeze_queue_wait.
func (q *Queue) FreezeWait(t *kernel.Task) {
	t.MightSleep("blk_mq_freeze_queue_wait", q.Name)
	t.Step(sim.Op{Verb: "blk_mq_freeze_queue_wait", Obj: &q.refs, Class: sim.Read, Guard: (*drained)(q)})
	t.Acquire(&q.refs)
}

// Unfreeze is blk_mq_unfreeze_queue: the last one lets in who waits.
func (q *Queue) Unfreeze(t *kernel.Task) {
	t.Step(sim.Op{Verb: "unfreeze queue", Obj: &q.refs})
	t.Locked(&q.refs)
	if q.frozen--; q.frozen < 0 {
		t.Warn("blk_mq_unfreeze_queue of %s, which is not frozen", q.Name)
		q.frozen = 0
	}
}

// QuiesceNowait is blk_mq_quiesce_queue_nowait: no call of queue_rq begins any more.
func (q *Queue) QuiesceNowait(t *kernel.Task) {
	t.Step(sim.Op{Verb: "quiesce queue", Obj: &q.refs})
	q.quiesced++
}

// Quiesce is blk_mq_quiesce_queue: also, those that run have returned. It does not wait for
// completions, and submissions go on and wait in the queue.
func (q *Queue) Quiesce(t *kernel.Task) {
	q.QuiesceNowait(t)
	q.WaitQuiesceDone(t)
}

// WaitQuiesceDone is blk_mq_wait_quiesce_done.
func (q *Queue) WaitQuiesceDone(t *kernel.Task) { t.SynchronizeRCU() }

// Unquiesce is blk_mq_unquiesce_queue: what waits is dispatched.
func (q *Queue) Unquiesce(t *kernel.Task) {
	t.Step(sim.Op{Verb: "unquiesce queue", Obj: &q.refs})
	if q.quiesced == 0 {
		t.Warn("blk_mq_unquiesce_queue of %s, which is not quiesced", q.Name)
		return
	}
	if q.quiesced--; q.quiesced == 0 {
		for _, h := range q.hctxs {
			h.release(t)
		}
		q.RunQueues(t, true)
	}
}

// MarkDead is blk_mark_disk_dead: no I/O is accepted any more, and who waits to submit some
// fails. It does not wait for what is in flight.
func (q *Queue) MarkDead(t *kernel.Task) {
	t.Step(sim.Op{Verb: "mark disk dead", Obj: &q.refs})
	q.die(t)
}

func (q *Queue) die(t *kernel.Task) {
	if !q.dying {
		q.dying = true
		q.frozen++
		q.RunQueues(t, t.Context() >= kernel.InSoftirq)
	}
}

// Remove is what happens when the disk goes (del_gendisk, blk_mq_destroy_queue): no more I/O
// is accepted, all that was accepted is waited for, and the disk's reference is dropped. A
// driver whose hardware has gone ends its requests first, or this waits for ever.
func (q *Queue) Remove(t *kernel.Task) {
	t.MightSleep("del_gendisk", q.Name)
	if !q.dying {
		q.MarkDead(t)
	}
	t.Step(sim.Op{Verb: "blk_mq_freeze_queue_wait", Obj: &q.refs, Guard: (*drained)(q)})
	t.Acquire(&q.refs)
	q.put(t)
}
