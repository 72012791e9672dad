package uringsim

import (
	"dmasim/iter"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// SQE is a fixed read or write: struct io_uring_sqe, as far as it is needed.
type SQE struct {
	// Write is IORING_OP_WRITE_FIXED, otherwise IORING_OP_READ_FIXED.
	Write    bool
	File     *iter.File
	BufIndex int
	// Addr is the offset in the buffer, Len the length, Off the position in the file,
	// all in bytes.
	Addr, Len uint64
	Off       int64
	// Nowait is RWF_NOWAIT: -EAGAIN is reported, not punted.
	Nowait   bool
	UserData uint64
}

// request is struct io_kiocb.
type request struct {
	ring  *Ring
	sqe   SQE
	owner *kernel.Task
	node  *node
	use   token.Use
	iter  iter.Iter
	// imported is set between the Import and the Finish stage of use.
	imported bool
	saved    iter.State
	kiocb    iter.Kiocb
	// worker is the worker that is issuing the request: what it completes itself is not
	// issued again.
	worker *kernel.Task
	done   bool
}

// Submit issues one request of the calling task. Its result, also of what is wrong
// with it, is a completion entry.
func (r *Ring) Submit(t *kernel.Task, sqe SQE) {
	req := &request{ring: r, sqe: sqe, owner: t}
	r.inFlight++
	r.uringLock.Lock(t)
	t.Say("IMP-5", "issue "+req.name()+", non-blocking")
	ret := req.issue(t, true)
	switch {
	case ret == iter.Neg(kernel.EIOCBQUEUED):
	case req.punts(ret):
		req.punt(t)
	default:
		req.finish(t, ret)
	}
	r.uringLock.Unlock(t)
}

func (req *request) name() string {
	if req.sqe.Write {
		return "WRITE_FIXED"
	}
	return "READ_FIXED"
}

// punts tells whether a result of a non-blocking attempt sends the request to a worker
// (IMP-5).
func (req *request) punts(res int64) bool {
	again := res == iter.Neg(kernel.EAGAIN) || res == iter.Neg(kernel.EOPNOTSUPP)
	return again && !req.sqe.Nowait
}

// issue is io_read_fixed and io_write_fixed (IMP-1 to IMP-5). It returns a result, or
// -EIOCBQUEUED.
func (req *request) issue(t *kernel.Task, nonblock bool) int64 {
	r, s := req.ring, &req.sqe
	if req.node == nil { // IMP-1, uring_lock is held
		if s.BufIndex < 0 || s.BufIndex >= len(r.table) || r.table[s.BufIndex] == nil {
			return iter.Neg(kernel.EFAULT)
		}
		req.node = r.table[s.BufIndex]
		req.node.refs++
	}
	n := req.node
	t.Use(&n.Mem)
	// IMP-2
	end := s.Addr + s.Len
	if end < s.Addr || s.Len > iter.MaxRWCount || end > n.length || s.Len == 0 {
		return iter.Neg(kernel.EFAULT)
	}
	if s.File != n.target {
		return iter.Neg(kernel.EBADF)
	}
	// IMP-3
	dir := hw.FromDevice
	if s.Write {
		dir = hw.ToDevice
	}
	req.use = token.Use{Token: n.token, Dir: dir, Off: s.Addr, Len: s.Len, Nowait: nonblock}
	if err := n.token.Import(t, &req.use); err != kernel.OK {
		return iter.Neg(err)
	}
	req.imported = true
	req.iter = iter.DmaToken(t, &req.use)
	req.saved = req.iter.Save()
	req.kiocb = iter.Kiocb{File: s.File, Pos: s.Off, Complete: req.complete}
	if nonblock || s.Nowait {
		req.kiocb.Flags |= iter.IOCB_NOWAIT
	}
	if s.Write {
		return s.File.Ops.WriteIter(t, &req.kiocb, &req.iter)
	}
	return s.File.Ops.ReadIter(t, &req.kiocb, &req.iter)
}

// complete is io_complete_rw: the kiocb's completion, in any context. The rest is task
// work.
func (req *request) complete(t *kernel.Task, res int64) {
	again := req.punts(res) && req.worker != t
	req.ring.addTaskWork(t, req.owner, func(t *kernel.Task) {
		req.ring.uringLock.Lock(t)
		if again {
			t.Say("IMP-5", req.name()+" would block: punt to io-wq")
			req.iter.Restore(req.saved)
			req.punt(t)
		} else {
			req.finish(t, res)
		}
		req.ring.uringLock.Unlock(t)
	})
}

// punt gives the request to a worker, which issues it in blocking mode with the node
// already held.
func (req *request) punt(t *kernel.Task) {
	req.drop(t) // the worker imports again
	req.ring.wq.queue(t, func(t *kernel.Task) {
		t.Say("IMP-5", "issue "+req.name()+" from io-wq, blocking")
		req.worker = t
		if ret := req.issue(t, false); ret != iter.Neg(kernel.EIOCBQUEUED) {
			req.complete(t, ret) // final, whatever it is
		}
		if req.worker == t {
			req.worker = nil
		}
	})
}

// drop is the Finish stage of what was imported.
func (req *request) drop(t *kernel.Task) {
	if req.imported {
		req.imported = false
		req.use.Token.Finish(t, &req.use)
	}
}

// finish posts the completion entry and frees the request. uring_lock is held.
func (req *request) finish(t *kernel.Task, res int64) {
	r := req.ring
	if req.done {
		t.Fail(iter.DoubleCompletion, "request %d of the ring completed twice (%s)", req.sqe.UserData, t.Task)
	}
	req.done = true
	if res >= 0 {
		t.Sayf("", "CQE: %s = %d", req.name(), res)
	} else {
		t.Sayf("", "CQE: %s = %v", req.name(), kernel.Errno(-res))
	}
	r.cq = append(r.cq, CQE{req.sqe.UserData, res})
	r.inFlight--
	req.drop(t)
	if req.node != nil {
		r.putNode(t, req.node)
		req.node = nil
	}
}
