package uringsim

import (
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// request is struct io_kiocb, with its io_rw and io_async_rw.
type request struct {
	ring  *Ring
	sqe   SQE
	owner *tctx
	// res is cqe.res: before the end what the transfer must bring to be a whole one.
	res  int64
	file *iter.File

	node, fileNode *node // held until the request is freed
	generation     *generation

	use      token.Use
	imported bool // between the Import and the Finish stage of use
	iter     iter.Iter
	saved    iter.State
	kiocb    iter.Kiocb
	// bytesDone is what earlier parts of a transfer brought.
	bytesDone int64

	nowait  bool // REQ_F_NOWAIT
	failed  bool // REQ_F_FAIL
	reissue bool // REQ_F_REISSUE
	ended   bool // the kiocb was completed, and not issued since
	posted  bool
	polled  bool // iopoll_completed
	listed  bool // in the list of what is polled for

	todo  todo  // what its task work is to do
	raw   int64 // what the completion said
	next  *request
	work  ioWork
	again int // how often it was issued again after a completion
}

// todo is io_task_work.func.
type todo uint8

const (
	toComplete todo = iota // io_req_rw_complete, io_req_task_complete
	toSubmit               // io_req_task_submit
	toFail                 // io_req_task_cancel
	toSettle               // toComplete, and the result is still to be looked at
)

// reissueBound is how often a request may be issued again after a completion that said
// -EAGAIN. The kernel has no such bound.
const reissueBound = 8

// newRequest is io_alloc_req. uring_lock is held.
func (r *Ring) newRequest(t *kernel.Task, c *tctx, sqe *SQE) *request {
	t.Touch(&r.refs, sim.Write)
	r.inFlight++
	r.noted++
	c.inFlight++
	return &request{ring: r, sqe: *sqe, owner: c}
}

// nonzero tells whether a value is an error of a request.
func (req *request) setRes(res int64) {
	if res < 0 {
		req.failed = true
	}
	req.res = res
}

// fixup is io_fixup_rw_res: an error behind a part that was transferred is not told.
func (req *request) fixup(res int64) int64 {
	if req.bytesDone == 0 {
		return res
	}
	return req.bytesDone + max(res, 0)
}

// defer is io_req_complete_defer: the entry is posted before uring_lock is dropped.
func (req *request) deferComplete(t *kernel.Task) {
	req.ring.assertLocked(t, "io_req_complete_defer")
	req.ring.compl = append(req.ring.compl, req)
}

// deferFailed is io_req_defer_failed.
func (req *request) deferFailed(t *kernel.Task, res int64) {
	if req.sqe.Opcode.rw() {
		res = req.fixup(res)
	}
	req.res, req.failed = res, true
	req.deferComplete(t)
}

// flush is io_submit_flush_completions: posts the entries of what is complete, and then
// frees the requests. uring_lock is held.
func (r *Ring) flush(t *kernel.Task) {
	for len(r.compl) > 0 {
		list := r.compl
		r.compl, r.spare = r.spare[:0], nil
		for _, req := range list {
			if !req.reissue && !(req.sqe.Flags&IOSQE_CQE_SKIP_SUCCESS != 0 && !req.failed) {
				req.post(t)
			}
		}
		for i, req := range list {
			list[i] = nil
			if req.reissue {
				req.reissue = false
				t.Mark("IMP-5 reissue")
				t.Sayf("IMP-5", "%v would block: punt to io-wq", req.sqe.Opcode)
				req.punt(t)
				continue
			}
			req.free(t)
		}
		r.spare = list
	}
}

func (req *request) post(t *kernel.Task) {
	r := req.ring
	if req.posted {
		t.Fail(iter.DoubleCompletion, "request %d of the ring has a second completion entry (%s)", req.sqe.UserData, t.Task)
	}
	req.posted = true
	if t.Tracing() {
		if req.res >= 0 {
			t.Sayf("", "CQE: %v = %d", req.sqe.Opcode, req.res)
		} else {
			t.Sayf("", "CQE: %v = %v", req.sqe.Opcode, kernel.Errno(-req.res))
		}
	}
	r.postCQE(t, CQE{req.sqe.UserData, req.res})
	if r.seed.postTwice {
		r.postCQE(t, CQE{req.sqe.UserData, req.res})
	}
}

// free is io_free_batch_list for one request: what follows in its link goes on, and what
// it holds is given back.
func (req *request) free(t *kernel.Task) {
	r := req.ring
	if req.sqe.Flags&links != 0 {
		req.queueNext(t)
	}
	req.drop(t)
	if req.node != nil {
		r.putNode(t, req.node)
		req.node = nil
	}
	if req.fileNode != nil {
		r.putNode(t, req.fileNode)
		req.fileNode = nil
	} else if req.file != nil {
		req.file.Put(t)
	}
	if req.generation != nil {
		r.putGeneration(t, req.generation)
		req.generation = nil
	}
	t.Touch(&r.refs, sim.Write)
	r.inFlight--
	r.noted--
	req.owner.inFlight--
}

// drop is the Finish stage of what was imported.
func (req *request) drop(t *kernel.Task) {
	if req.imported {
		req.imported = false
		req.use.Token.Finish(t, &req.use)
	}
}

// assertLocked is lockdep_assert_held(&ctx->uring_lock).
func (r *Ring) assertLocked(t *kernel.Task, call string) {
	if !r.uringLock.Held(t) {
		t.Warn("lockdep_assert_held(uring_lock) in %s (%s)", call, t.Task)
	}
}
