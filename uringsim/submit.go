package uringsim

import (
	"dmasim/blkmq"
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// Flags of io_uring_enter.
const (
	IORING_ENTER_GETEVENTS = 1 << 0
	IORING_ENTER_SQ_WAKEUP = 1 << 1
	IORING_ENTER_SQ_WAIT   = 1 << 2
)

// submissionQueue is the SQ ring: what the user has put there and nobody has consumed.
type submissionQueue struct {
	ring []SQE
	size int
}

// Queue puts an entry into the submission queue; false if there is no room. The kernel is
// not entered. With SQPOLL it is an operation, as the thread reads the queue.
func (r *Ring) Queue(t *kernel.Task, sqe SQE) bool {
	if r.has(IORING_SETUP_SQPOLL) {
		t.Step(sim.Op{Verb: "sq tail", Obj: &r.sqpoll.obj})
		t.Release(&r.sqpoll.obj)
	}
	if len(r.sq.ring) >= r.sq.size {
		return false
	}
	r.sq.ring = append(r.sq.ring, sqe)
	return true
}

// Submit submits one request of the calling task. Its result, also of what is wrong with it,
// is a completion entry.
func (r *Ring) Submit(t *kernel.Task, sqe SQE) {
	if r.has(IORING_SETUP_SQPOLL) {
		if !r.Queue(t, sqe) {
			t.Fail(sim.Misuse, "the submission queue is full (%s)", t.Task)
		}
		if r.sqpoll.needWakeup {
			r.Enter(t, 0, 0, IORING_ENTER_SQ_WAKEUP)
		}
		return
	}
	t.FromUser("io_uring_enter")
	c := r.tctx(t)
	r.lock(t)
	r.submitOne(t, c, &sqe)
	r.endLink(t)
	r.unlock(t)
}

// Enter is io_uring_enter: submits up to so many entries of the submission queue, and with
// IORING_ENTER_GETEVENTS waits until so many completions can be read. It returns how many
// were consumed, or the error if none was.
func (r *Ring) Enter(t *kernel.Task, toSubmit, minComplete int, flags uint32) (int, kernel.Errno) {
	switch {
	case flags&^(IORING_ENTER_GETEVENTS|IORING_ENTER_SQ_WAKEUP|IORING_ENTER_SQ_WAIT) != 0:
		return 0, kernel.EINVAL
	case r.has(IORING_SETUP_R_DISABLED):
		return 0, kernel.EBADFD
	}
	t.FromUser("io_uring_enter")
	n := 0
	if r.has(IORING_SETUP_SQPOLL) {
		if r.sqpoll.dead {
			return 0, kernel.EOWNERDEAD
		}
		if flags&IORING_ENTER_SQ_WAKEUP != 0 {
			r.wakeSqThread(t)
		}
		if flags&IORING_ENTER_SQ_WAIT != 0 {
			r.waitForRoom(t)
		}
		n = toSubmit
	} else if toSubmit > 0 {
		if r.submitter != nil && r.submitter != t {
			return 0, kernel.EEXIST
		}
		r.lock(t)
		n = r.submit(t, r.tctx(t), toSubmit)
		if n == toSubmit && flags&IORING_ENTER_GETEVENTS != 0 && r.has(IORING_SETUP_DEFER_TASKRUN) {
			r.runLocalLocked(t)
		}
		r.unlock(t)
		if n != toSubmit {
			return n, kernel.OK
		}
	}
	if flags&IORING_ENTER_GETEVENTS != 0 {
		if err := r.wait(t, min(minComplete, r.cq.size)); err != kernel.OK && n == 0 {
			return 0, err
		}
	}
	return n, kernel.OK
}

// submit is io_submit_sqes. uring_lock is held.
func (r *Ring) submit(t *kernel.Task, c *tctx, most int) int {
	most = min(most, len(r.sq.ring))
	var plug *blkmq.Plug
	if most > 2 {
		plug = blkmq.StartPlug(t, most)
	}
	n := 0
	for n < most {
		sqe := r.sq.ring[0]
		r.sq.ring = r.sq.ring[1:]
		n++
		if !r.submitOne(t, c, &sqe) && !r.has(IORING_SETUP_SUBMIT_ALL) {
			break
		}
	}
	r.endLink(t)
	r.flush(t)
	if plug != nil {
		plug.Finish(t)
	}
	return n
}

// submitOne is io_submit_sqe: false if the entry is refused.
func (r *Ring) submitOne(t *kernel.Task, c *tctx, sqe *SQE) bool {
	req := r.newRequest(t, c, sqe)
	if err := req.prep(t); err != kernel.OK {
		req.refused(t, err)
		return false
	}
	if r.addLink(t, req) {
		return true
	}
	req.queue(t)
	return true
}

// prep is io_init_req and the opcode's prep: what can be told before the issue.
func (req *request) prep(t *kernel.Task) kernel.Errno {
	s := &req.sqe
	if s.Opcode == IORING_OP_NOP {
		return kernel.OK
	}
	switch {
	case opNames[s.Opcode] == "", s.Flags&^sqeFlags != 0:
		return kernel.EINVAL
	case t.K.Profile == kernel.V6_12 && s.Opcode.vectored():
		return kernel.EINVAL
	case s.Flags&IOSQE_BUFFER_SELECT != 0, s.Flags&IOSQE_IO_DRAIN != 0:
		return kernel.EOPNOTSUPP
	case s.Opcode == IORING_OP_ASYNC_CANCEL:
		if s.Flags&IOSQE_FIXED_FILE != 0 || s.RWFlags&^(IORING_ASYNC_CANCEL_ALL|IORING_ASYNC_CANCEL_ANY) != 0 {
			return kernel.EINVAL
		}
		return kernel.OK
	}
	req.kiocb.Pos = s.Off
	if s.Opcode.vectored() {
		if err := checkIovecs(s.Iovecs); err != kernel.OK {
			return err
		}
	}
	if !s.Opcode.fixed() {
		return req.prepPlain(t)
	}
	if t.K.Profile == kernel.V6_12 { // the buffer is looked up here, and imported
		return req.prepFixed(t)
	}
	return kernel.OK
}

// queue is io_queue_sqe: the first issue, which may not block; or straight to io-wq.
func (req *request) queue(t *kernel.Task) {
	if req.sqe.Flags&IOSQE_ASYNC != 0 {
		req.punt(t)
		return
	}
	t.Sayf("IMP-5", "issue %v, non-blocking", req.sqe.Opcode)
	ret := req.issue(t, inline)
	switch {
	case ret == complete:
		req.deferComplete(t)
	case ret == queued:
	case ret == again && !req.nowait: // io_queue_async
		req.punt(t)
	default:
		req.deferFailed(t, ret)
	}
}
