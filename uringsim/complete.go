package uringsim

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// tctx is struct io_uring_task, for one ring: a task that submits, and its list of
// completions to be handled, oldest first.
type tctx struct {
	ring     *Ring
	task     *kernel.Task
	obj      sim.Object // list
	list     []*request
	spare    []*request // the memory of an earlier list
	run      func(*kernel.Task)
	drained  int // works that are queued, and whose request was handled
	want     int // completions that it waits for, see Ready
	inFlight int // under uring_lock
}

// tctx finds what the ring keeps about a task.
func (r *Ring) tctx(t *kernel.Task) *tctx {
	for _, c := range r.tasks {
		if c.task == t {
			return c
		}
	}
	c := &tctx{ring: r, task: t}
	c.run = c.runTaskWork
	t.Own(&c.obj, "llist", "tctx.task_list")
	r.tasks = append(r.tasks, c)
	return c
}

// addTaskWork is io_req_task_work_add, in any context: what is left to do for the request
// is done by the task that submitted it. With lazy a waiter of DEFER_TASKRUN is not woken
// for it alone.
func (r *Ring) addTaskWork(t *kernel.Task, req *request, lazy bool) {
	if r.has(IORING_SETUP_DEFER_TASKRUN) {
		r.addLocal(t, req, lazy)
		return
	}
	c := req.owner
	if r.seed.loseCompletion && len(c.list) > 0 {
		t.Step(sim.Op{Verb: "task_work_add", Obj: &c.obj})
		return
	}
	mode := kernel.TWA_SIGNAL
	if r.has(IORING_SETUP_COOP_TASKRUN) {
		mode = kernel.TWA_SIGNAL_NO_IPI
	}
	if t.TaskWorkAdd(c.task, &kernel.TaskWork{Func: c.run}, mode) != kernel.OK { // the task has exited
		r.fallback(t, req)
		return
	}
	t.Touch(&c.obj, sim.Write)
	t.Release(&c.obj)
	req.settle(t)
	c.list = append(c.list, req) // part of the same operation
}

// fallback is io_fallback_tw: a kernel worker does what the task cannot any more.
func (r *Ring) fallback(t *kernel.Task, reqs ...*request) {
	for _, req := range reqs {
		req.settle(t)
	}
	t.Kthread("io_fallback_tw", sim.Op{Verb: "run"}, func(t *kernel.Task) { r.handle(t, reqs) })
}

// runTaskWork is tctx_task_work: the completions that are there by now, under one
// uring_lock. There is a work for each, and the first handles them all.
func (c *tctx) runTaskWork(t *kernel.Task) {
	if c.drained > 0 {
		c.drained--
		return
	}
	t.Touch(&c.obj, sim.Write)
	t.Acquire(&c.obj)
	list := c.list
	c.list, c.spare = c.spare[:0], nil
	c.drained = len(list) - 1
	c.ring.handle(t, list)
	clear(list)
	c.spare = list
}

// settle is what a completion says of its request. In the kernel it comes just before the
// request is queued; here it belongs to the same operation.
func (req *request) settle(t *kernel.Task) {
	if req.todo == toSettle {
		req.result(t, req.raw)
		req.todo = toComplete
	}
}

// handle is io_handle_tw_list.
func (r *Ring) handle(t *kernel.Task, list []*request) {
	r.lock(t)
	for _, req := range list {
		req.doTaskWork(t)
	}
	r.unlock(t)
}

// doTaskWork is io_task_work.func. uring_lock is held.
func (req *request) doTaskWork(t *kernel.Task) {
	switch req.todo {
	case toComplete:
		if req.ring.seed.putEarly && req.node != nil && !req.reissue {
			req.ring.putNode(t, req.node)
		}
		req.deferComplete(t)
	case toFail:
		req.deferFailed(t, req.res)
	case toSubmit:
		t.Touch(&req.ring.exit, sim.Read)
		if req.ring.dying || t != req.owner.task { // io_should_terminate_tw
			req.deferFailed(t, -int64(kernel.EFAULT))
			return
		}
		req.queue(t)
	}
}
