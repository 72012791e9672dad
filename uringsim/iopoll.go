package uringsim

import (
	"slices"

	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// Iopoller is a file that can be polled for completions: it has the file operation iopoll.
type Iopoller interface {
	// Iopoll asks the device for what it has finished, and says how much that was.
	Iopoll(t *kernel.Task, k *iter.Kiocb) int
}

// pollList is ctx->iopoll_list: requests that were issued and whose completion is found by
// polling. uring_lock protects it; obj stands for their iopoll_completed flags.
type pollList struct {
	obj  sim.Object
	list []*request
	done int // requests in the list with iopoll_completed
}

// Ready tells whether a request can be taken from the list.
func (p *pollList) Ready(*sim.Task) bool { return p.done > 0 }

// pollIssued is io_iopoll_req_issued: a request comes into the list after it was issued, and
// may be complete by then.
func (req *request) pollIssued(t *kernel.Task, f issueFlags) {
	r := req.ring
	if f.unlocked {
		r.lock(t)
		defer r.unlock(t)
	}
	t.Touch(&r.poll.obj, sim.Write) // the end looks whether it is in the list
	req.listed = true
	if req.polled {
		r.poll.done++
		r.poll.list = append([]*request{req}, r.poll.list...)
		return
	}
	r.poll.list = append(r.poll.list, req)
}

// completePolled is io_complete_rw_iopoll: sets a flag, and nobody is told.
func (req *request) completePolled(t *kernel.Task, res int64) {
	req.endOnce(t)
	req.result(t, res)
	t.Touch(&req.ring.poll.obj, sim.Write)
	if req.polled = true; req.listed {
		req.ring.poll.done++
	}
}

// doPoll is io_do_iopoll: asks the devices, and takes what is complete. uring_lock is held.
// It returns how many requests that were.
func (r *Ring) doPoll(t *kernel.Task) int {
	p := &r.poll
	for _, req := range slices.Clone(p.list) {
		if t.Touch(&p.obj, sim.Read); req.polled {
			break
		}
		req.file.Ops.(Iopoller).Iopoll(t, &req.kiocb)
		if t.Touch(&p.obj, sim.Read); req.polled {
			break
		}
	}
	n := 0
	p.list = slices.DeleteFunc(p.list, func(req *request) bool {
		if !req.polled {
			return false
		}
		t.Touch(&p.obj, sim.Write)
		p.done--
		req.polled, req.listed = false, false
		req.deferComplete(t)
		n++
		return true
	})
	r.flush(t)
	return n
}

// pollFor is io_iopoll_check: polls until so many entries can be read. The kernel keeps
// uring_lock while it spins, until it is to reschedule; here it drops the lock after each
// round. A round that finds nothing is repeated when nothing else happens, or when a request
// is completed otherwise; see spin.
func (r *Ring) pollFor(t *kernel.Task, want int) kernel.Errno {
	for idle := 0; ; {
		if err := r.flushOverflow(t); err != kernel.OK {
			return err
		}
		if r.events(t) >= max(want, 1) || want == 0 && idle > 0 {
			return kernel.OK
		}
		r.lock(t)
		if r.has(IORING_SETUP_DEFER_TASKRUN) {
			r.runLocalLocked(t)
		}
		n := r.doPoll(t)
		r.unlock(t)
		t.RunTaskWork()
		if n > 0 || r.events(t) >= want {
			idle = 0
			if want == 0 {
				return kernel.OK
			}
			continue
		}
		idle++
		if want == 0 {
			return kernel.OK
		}
		r.spin(t, idle)
		signal := t.TaskSigpending()
		t.RunTaskWork()
		if signal {
			return kernel.EINTR
		}
	}
}

// spin lets all else run before the next round. The time doubles, and has no end after some
// rounds in vain, so that a completion which never comes is found to be lost.
func (r *Ring) spin(t *kernel.Task, round int) {
	limit := kernel.MaxScheduleTimeout
	if round < 20 {
		limit = 1 << round
	}
	obj, guard := &r.poll.obj, sim.Guard(&r.poll)
	if r.has(IORING_SETUP_DEFER_TASKRUN) && len(r.poll.list) == 0 {
		r.local.want = 1
		obj, guard = &r.local.obj, &r.local
	}
	t.Sleep(sim.Op{Verb: "io_iopoll_check", Obj: obj, Guard: guard}, kernel.Interruptible, limit)
}

// retry is the loop of a worker over a polled request that no room was found for.
func (req *request) retry(t *kernel.Task, tries int) {
	t.ScheduleTimeoutUninterruptible(1 << min(tries, 16))
	if tries > 16 {
		t.Livelock("request %d of the ring is issued by its worker again and again, and finds no room", req.sqe.UserData)
	}
}
