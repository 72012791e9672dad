package uringsim

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// localWork is what DEFER_TASKRUN has instead of task work: a list that only the submitting
// task handles, when it asks for events.
type localWork struct {
	obj    sim.Object
	list   []*request
	forced bool // IO_CQ_WAKE_FORCE: the waiter is woken whatever it waits for
	want   int  // cq_wait_nr
}

// Ready tells whether the waiter is woken: when as many completions are there as it lacks.
func (l *localWork) Ready(*sim.Task) bool { return l.forced || len(l.list) >= l.want }

// Explain says what the waiter lacks.
func (l *localWork) Explain(*sim.Task) string {
	return "too few completions are queued for the submitting task"
}

// addLocal is io_req_local_work_add. How many there are behind a request with a link is not
// known, so it is not lazy.
func (r *Ring) addLocal(t *kernel.Task, req *request, lazy bool) {
	l := &r.local
	t.Step(sim.Op{Verb: "io_req_local_work_add", Obj: &l.obj})
	t.Touch(&r.exit, sim.Read)
	if r.dying {
		r.fallback(t, req)
		return
	}
	req.settle(t)
	t.Release(&l.obj)
	l.list = append(l.list, req)
	if !lazy || req.sqe.Flags&links != 0 {
		l.forced = true
	}
}

// take empties the list, as part of the operation before it.
func (l *localWork) take(t *kernel.Task) []*request {
	t.Touch(&l.obj, sim.Write)
	t.Acquire(&l.obj)
	list := l.list
	l.list, l.forced = nil, false
	return list
}

// runLocalLocked is io_run_local_work_locked: what comes meanwhile is handled as well.
func (r *Ring) runLocalLocked(t *kernel.Task) {
	if t != r.submitter {
		t.Warn("io_run_local_work by %s, which is not the submitter", t.Task)
		return
	}
	for list := r.local.take(t); len(list) > 0; list = r.local.take(t) {
		for _, req := range list {
			req.doTaskWork(t)
		}
		r.flush(t)
	}
}

// waitLocal is io_cqring_wait with DEFER_TASKRUN.
func (r *Ring) waitLocal(t *kernel.Task, want int) kernel.Errno {
	l := &r.local
	for {
		if t.Touch(&l.obj, sim.Read); len(l.list) > 0 {
			r.lock(t)
			r.runLocalLocked(t)
			r.unlock(t)
		}
		if err := r.flushOverflow(t); err != kernel.OK {
			return err
		}
		lack := want - r.events(t)
		if lack <= 0 || len(r.cq.overflow) > 0 {
			return kernel.OK
		}
		if t.Touch(&l.obj, sim.Write); len(l.list) > 0 {
			continue
		}
		l.want = lack
		t.Sleep(sim.Op{Verb: "io_cqring_wait", Obj: &l.obj, Guard: l}, kernel.Interruptible, kernel.MaxScheduleTimeout)
		if t.TaskSigpending() && len(l.list) == 0 {
			return kernel.EINTR
		}
		t.RunTaskWork()
	}
}
