package uringsim

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// Ready tells whether there are as many entries as the task waits for. Whoever else posts
// one says so to the object of the list, see postCQE.
func (c *tctx) Ready(*sim.Task) bool {
	q := &c.ring.cq
	return len(q.ring) >= c.want || q.dropped || len(q.overflow) > 0 && len(q.ring) < q.size
}

// Explain says what a waiter lacks.
func (c *tctx) Explain(*sim.Task) string { return "the completion queue has too few entries" }

// wait is io_cqring_wait, or io_iopoll_check: sleeps until so many completions can be read.
// Task work of the calling task runs meanwhile. A signal ends it with -EINTR.
func (r *Ring) wait(t *kernel.Task, want int) kernel.Errno {
	t.MightSleep("io_cqring_wait", "")
	if r.submitter != nil && r.submitter != t && r.has(IORING_SETUP_DEFER_TASKRUN) {
		return kernel.EEXIST
	}
	if r.has(IORING_SETUP_IOPOLL) && !r.has(IORING_SETUP_SQPOLL) {
		return r.pollFor(t, want)
	}
	if r.has(IORING_SETUP_DEFER_TASKRUN) {
		return r.waitLocal(t, want)
	}
	c := r.tctx(t)
	for {
		if err := r.flushOverflow(t); err != kernel.OK {
			return err
		}
		if r.events(t) >= want {
			return kernel.OK
		}
		if len(r.cq.overflow) > 0 { // it takes the user to make room
			return kernel.OK
		}
		c.want = want
		t.Sleep(sim.Op{Verb: "io_cqring_wait", Obj: &c.obj, Guard: c}, kernel.Interruptible, kernel.MaxScheduleTimeout)
		signal := t.TaskSigpending()
		t.RunTaskWork()
		if signal && r.events(t) < want {
			return kernel.EINTR
		}
	}
}

// WaitCQE returns the next completion entry, waiting for one if there is none: it is
// io_uring_enter with min_complete 1. It is for tasks that get no signals.
func (r *Ring) WaitCQE(t *kernel.Task) CQE {
	for {
		if c, ok := r.PeekCQE(t); ok {
			return c
		}
		if err := r.WaitCQEs(t, 1); err != kernel.OK {
			t.Fail(sim.Misuse, "a wait for a completion entry by %s ended with %v", t.Task, err)
		}
	}
}

// WaitCQEs is io_uring_enter with nothing to submit: waits until so many entries can be read.
func (r *Ring) WaitCQEs(t *kernel.Task, want int) kernel.Errno {
	_, err := r.Enter(t, 0, want, IORING_ENTER_GETEVENTS)
	return err
}
