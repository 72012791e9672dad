package uringsim

import (
	"slices"

	"dmasim/sim"
	"dmasim/sim/kernel"
)

// Close is the release of the ring's file (io_ring_ctx_wait_and_kill): no request is taken
// any more, what can be cancelled is, and a worker frees the ring when all requests are.
func (r *Ring) Close(t *kernel.Task) {
	r.stopSqThread(t)
	r.lock(t)
	t.Touch(&r.exit, sim.Write)
	r.dying = true
	if r.has(IORING_SETUP_IOPOLL) {
		r.pollAll(t)
	}
	if r.has(IORING_SETUP_DEFER_TASKRUN) { // io_move_task_work_from_local
		if list := r.local.take(t); len(list) > 0 {
			r.fallback(t, list...)
		}
	}
	r.unlock(t)
	r.cancelWorks(t, nil)
	exit := sim.Op{Verb: "io_ring_exit_work", Obj: &r.refs, Also: &r.poll.obj, Guard: (*unused)(r)}
	t.Kthread("iou_exit", exit, func(t *kernel.Task) { r.exitWork(t, exit) })
}

// unused is ready when the last request is freed, or when there is one to be polled for.
type unused Ring

func (r *unused) Ready(*sim.Task) bool     { return r.inFlight == 0 || len(r.poll.list) > 0 }
func (r *unused) Explain(*sim.Task) string { return "requests of a ring that exits are in flight" }

// exitWork is io_ring_exit_work, when it could first do something. What a worker has issued is polled for here:
// nobody else does so any more.
func (r *Ring) exitWork(t *kernel.Task, again sim.Op) {
	for r.inFlight > 0 {
		r.lock(t)
		r.pollAll(t)
		r.unlock(t)
		t.Step(again)
	}
	r.destroy(t)
}

// destroy is io_ring_ctx_free.
func (r *Ring) destroy(t *kernel.Task) {
	r.lock(t)
	r.dropTable(t, &r.buffers)
	r.dropTable(t, &r.files)
	r.unlock(t)
	r.exited = true
}

// pollAll is io_iopoll_try_reap_events, before nobody polls any more.
func (r *Ring) pollAll(t *kernel.Task) {
	for round := 0; len(r.poll.list) > 0; {
		if r.doPoll(t) == 0 {
			round++
			r.uringLock.Unlock(t)
			r.spin(t, round)
			r.uringLock.Lock(t)
		}
	}
}

// cancelWorks cancels what io-wq has of a task; nil: of all.
func (r *Ring) cancelWorks(t *kernel.Task, of *kernel.Task) {
	if t.Touch(&r.wq.obj, sim.Read); len(r.wq.list) == 0 {
		return
	}
	t.Step(sim.Op{Verb: "io-wq cancel", Obj: &r.wq.obj})
	for _, req := range slices.Clone(r.wq.list) {
		if of == nil || req.owner.task == of {
			req.cancelWork(t)
		}
	}
}

// TaskExit is __io_uring_cancel, in a task that is about to exit: what waits for a worker is
// cancelled, and all its other requests are waited for, wherever they are.
func (r *Ring) TaskExit(t *kernel.Task) {
	c := r.tctx(t)
	r.cancelWorks(t, t)
	for {
		if r.has(IORING_SETUP_DEFER_TASKRUN) && t == r.submitter {
			if t.Touch(&r.local.obj, sim.Read); len(r.local.list) > 0 {
				r.lock(t)
				r.runLocalLocked(t)
				r.unlock(t)
			}
		}
		if r.has(IORING_SETUP_IOPOLL) {
			r.lock(t)
			r.pollAll(t)
			r.unlock(t)
		}
		if t.Touch(&r.refs, sim.Read); c.inFlight == 0 {
			return
		}
		op := sim.Op{Verb: "io_uring_cancel_generic", Obj: &r.refs, Class: sim.Read, Guard: (*idle)(c)}
		if r.has(IORING_SETUP_DEFER_TASKRUN) {
			r.local.want = 1
			op.Obj, op.Class, op.Guard = &r.local.obj, sim.Write, &r.local
		}
		t.DeliverSignals() // those that are pending do not keep it from sleeping
		t.Sleep(op, kernel.Interruptible, kernel.MaxScheduleTimeout)
		t.RunTaskWork()
	}
}

// idle is ready when a task has no request in flight.
type idle tctx

func (c *idle) Ready(*sim.Task) bool     { return c.inFlight == 0 }
func (c *idle) Explain(*sim.Task) string { return "requests of a task that exits are in flight" }
