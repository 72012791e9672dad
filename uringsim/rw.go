package uringsim

import (
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// begin is what io_read and io_write begin with: false if the attempt is over before the
// file was asked, with ret.
func (req *request) begin(t *kernel.Task, write, nonblock bool) (ret int64, ok bool) {
	if err := req.initFile(t, write); err != kernel.OK {
		return iter.Neg(err), false
	}
	req.res = int64(req.iter.Count)
	if nonblock {
		if !supportsNowait(req.file) {
			req.restore(t)
			return again, false
		}
		req.kiocb.Flags |= iter.IOCB_NOWAIT
	} else {
		req.kiocb.Flags &^= iter.IOCB_NOWAIT
	}
	if req.kiocb.Pos < 0 {
		return iter.Neg(kernel.EINVAL), false
	}
	return 0, true
}

// restore takes the iterator back to where it was saved.
func (req *request) restore(t *kernel.Task) {
	if req.iter.Type == iter.ITER_DMA_TOKEN {
		t.Mark("IT-5")
	}
	if !req.ring.seed.forgetIter {
		req.iter.Restore(req.saved)
	}
}

// read is io_read: complete, queued, -EAGAIN for another try in io-wq, or an error.
func (req *request) read(t *kernel.Task, nonblock bool) int64 {
	if ret, ok := req.begin(t, false, nonblock); !ok {
		return ret
	}
	ret := iter.Neg(kernel.EINVAL) // a file that has no such function, as a dma-buf
	if req.file.Ops != nil {
		ret = req.file.Ops.ReadIter(t, &req.kiocb, &req.iter)
	}
	if ret == iter.Neg(kernel.EOPNOTSUPP) && nonblock {
		ret = again
	}
	switch {
	case ret == again || req.inlineReissue(t):
		if !nonblock && !req.ring.has(IORING_SETUP_IOPOLL) || req.nowait {
			return req.readDone(t, ret)
		}
		req.restore(t)
		return again
	case ret == queued:
		return queued
	case ret == req.res, ret <= 0, !nonblock, req.nowait:
		return req.readDone(t, ret)
	}
	// A part was read. The iterator may be anywhere.
	req.restore(t)
	if req.iter.Type == iter.ITER_DMA_TOKEN {
		t.Mark("IT-1")
	}
	req.iter.Advance(uint64(ret))
	req.bytesDone += ret
	req.saved = req.iter.Save()
	return again
}

func (req *request) readDone(t *kernel.Task, ret int64) int64 {
	if ret < 0 {
		return ret
	}
	return req.done(t, ret)
}

// write is io_write. What is left of a part that was written is done in io-wq; the iterator
// is where the file left it.
func (req *request) write(t *kernel.Task, nonblock bool) int64 {
	if ret, ok := req.begin(t, true, nonblock); !ok {
		return ret
	}
	req.kiocb.Flags |= iter.IOCB_WRITE
	ret := iter.Neg(kernel.EINVAL)
	if req.file.Ops != nil {
		ret = req.file.Ops.WriteIter(t, &req.kiocb, &req.iter)
	}
	if req.inlineReissue(t) {
		ret = again
	}
	if ret == iter.Neg(kernel.EOPNOTSUPP) && req.kiocb.Nowait() {
		ret = again
	}
	poll := req.ring.has(IORING_SETUP_IOPOLL)
	switch {
	case ret == again && req.nowait:
		return req.done(t, ret)
	case ret == again && (nonblock || poll):
		req.restore(t)
		return again
	case ret >= 0 && ret != req.res:
		req.saved = req.iter.Save()
		req.bytesDone += ret
		return again
	}
	return req.done(t, ret)
}

// done is kiocb_done: the file is done with the request, or has taken it.
func (req *request) done(t *kernel.Task, ret int64) int64 {
	switch {
	case ret == queued:
		return queued
	case ret >= 0 && !req.ring.has(IORING_SETUP_IOPOLL):
		if ret != req.res {
			req.failed = true // a short one ends a chain
		}
		req.res = req.fixup(ret)
		return complete
	}
	if ret == iter.Neg(kernel.ERESTARTSYS) { // io_rw_done: there is no way to restart the call
		ret = iter.Neg(kernel.EINTR)
	}
	req.kiocb.Complete(t, ret)
	return queued
}

// completeRW is io_complete_rw: the kiocb's completion, in any context. The rest is task
// work.
func (req *request) completeRW(t *kernel.Task, res int64) {
	req.endOnce(t)
	if t.K.Profile == kernel.V6_12 && req.mayReissue(t, res) {
		req.reissue = true // io_read and io_write look at it
		return
	}
	req.todo, req.raw = toSettle, res
	req.ring.addTaskWork(t, req, true)
}

// result is __io_complete_rw_common and io_fixup_rw_res.
func (req *request) result(t *kernel.Task, res int64) {
	if res != req.res {
		if req.mayReissue(t, res) {
			req.bounded(t)
			req.restore(t)
			req.reissue = true
		} else {
			req.failed = true
		}
	}
	req.res = req.fixup(res)
}

// mayReissue is io_rw_should_reissue: a request that would block, and whose user has nothing
// against that, goes to io-wq. All files here are block devices or regular files. Until 6.12
// only what is completed while it is issued can.
func (req *request) mayReissue(t *kernel.Task, res int64) bool {
	if res != again && (res != iter.Neg(kernel.EOPNOTSUPP) || t.K.Profile == kernel.V6_12) {
		return false
	}
	r := req.ring
	if req.imported {
		switch {
		case req.nowait:
			t.Mark("IMP-5 no-wait")
		case isWorker(t) && !r.has(IORING_SETUP_IOPOLL):
			t.Mark("IMP-5 in a worker")
		case r.dying:
			t.Mark("IMP-5 dying ring")
		}
	}
	if t.K.Profile == kernel.V6_12 && (t.Context() != kernel.InTask || t != req.owner.task) {
		return false
	}
	t.Touch(&r.exit, sim.Read)
	return !req.nowait && (!isWorker(t) || r.has(IORING_SETUP_IOPOLL)) && !r.dying
}

// inlineReissue is REQ_F_REISSUE as 6.12 has it: the completion came during the attempt.
func (req *request) inlineReissue(t *kernel.Task) bool {
	if t.K.Profile != kernel.V6_12 || !req.reissue {
		return false
	}
	req.reissue = false
	return true
}

// bounded reports a request that is issued without end, as the kernel does not.
func (req *request) bounded(t *kernel.Task) {
	if req.again++; req.again > reissueBound {
		t.Livelock("request %d of the ring was issued %d times; each time its completion said that it would block", req.sqe.UserData, req.again)
	}
}

// endOnce finds a kiocb that is completed again.
func (req *request) endOnce(t *kernel.Task) {
	if req.ended {
		t.Fail(iter.DoubleCompletion, "request %d of the ring completed twice (%s)", req.sqe.UserData, t.Task)
	}
	req.ended = true
}
