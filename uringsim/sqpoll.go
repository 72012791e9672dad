package uringsim

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// sqThread is struct io_sq_data: the thread that submits what is in the submission queue, and
// handles the completions of that.
type sqThread struct {
	obj        sim.Object // the queue and the flags
	task       *kernel.Task
	needWakeup bool // IORING_SQ_NEED_WAKEUP: the user has to enter the kernel
	woken      bool
	stop, dead bool
}

// startSqThread is io_sq_offload_create. With IdleImmediately the thread sleeps as soon as it
// has nothing to do; otherwise its time to idle is never over.
func (r *Ring) startSqThread(t *kernel.Task) {
	s := &r.sqpoll
	t.Own(&s.obj, "io_sq_data", "sq ring")
	s.needWakeup = r.IdleImmediately
	s.task = t.Go("iou-sqp", r.sqThread)
	if r.has(IORING_SETUP_SINGLE_ISSUER) {
		r.submitter = nil // register calls come from the user's task
	}
}

// Ready tells whether the thread has something to do.
func (s *sqThread) ready(r *Ring) bool {
	return s.woken || s.stop || !s.needWakeup && len(r.sq.ring) > 0
}

// sqThread is io_sq_thread.
func (r *Ring) sqThread(t *kernel.Task) {
	s := &r.sqpoll
	c := r.tctx(t)
	for {
		wait := kernel.MaxScheduleTimeout
		if r.has(IORING_SETUP_IOPOLL) && len(r.poll.list) > 0 {
			wait = 1
		}
		t.Sleep(sim.Op{Verb: "io_sq_thread", Obj: &s.obj, Guard: sqGuard{r}}, kernel.Interruptible, wait)
		t.Acquire(&s.obj)
		s.woken, s.needWakeup = false, false
		t.RunTaskWork()
		if t.Touch(&s.obj, sim.Write); s.stop || t.TaskSigpending() && t.DeliverSignals() {
			break
		}
		for n := len(r.sq.ring); n > 0; n = len(r.sq.ring) {
			r.lock(t)
			if r.has(IORING_SETUP_IOPOLL) {
				r.doPoll(t)
			}
			t.Acquire(&s.obj)
			r.submit(t, c, n)
			r.unlock(t)
			t.Touch(&s.obj, sim.Write)
		}
		if r.has(IORING_SETUP_IOPOLL) && len(r.poll.list) > 0 {
			r.lock(t)
			r.doPoll(t)
			r.unlock(t)
			t.Touch(&s.obj, sim.Write)
		}
		s.needWakeup = r.IdleImmediately && len(r.sq.ring) == 0
	}
	r.TaskExit(t)
	t.Touch(&s.obj, sim.Write)
	s.dead = true
}

type sqGuard struct{ r *Ring }

func (g sqGuard) Ready(*sim.Task) bool { return g.r.sqpoll.ready(g.r) }

// wakeSqThread is what IORING_ENTER_SQ_WAKEUP does.
func (r *Ring) wakeSqThread(t *kernel.Task) {
	t.Step(sim.Op{Verb: "wake up iou-sqp", Obj: &r.sqpoll.obj})
	r.sqpoll.woken = true
}

// NeedWakeup tells whether the user finds IORING_SQ_NEED_WAKEUP set: part of the operation
// before it.
func (r *Ring) NeedWakeup(t *kernel.Task) bool {
	t.Touch(&r.sqpoll.obj, sim.Read)
	return r.sqpoll.needWakeup
}

// waitForRoom is what IORING_ENTER_SQ_WAIT does.
func (r *Ring) waitForRoom(t *kernel.Task) {
	t.Await("io_sqpoll_wait_sq", &r.sqpoll.obj, sim.Read, func() bool { return len(r.sq.ring) < r.sq.size })
}

// stopSqThread is io_sq_thread_finish.
func (r *Ring) stopSqThread(t *kernel.Task) {
	s := &r.sqpoll
	if s.task == nil {
		return
	}
	t.Step(sim.Op{Verb: "stop iou-sqp", Obj: &s.obj})
	s.stop = true
	t.Join(s.task.Task)
}
