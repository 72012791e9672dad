package uringsim

import (
	"dmasim/iter"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// issueFlags are IO_URING_F_*.
type issueFlags struct{ nonblock, unlocked bool }

var (
	inline   = issueFlags{nonblock: true}
	fromIoWq = issueFlags{unlocked: true}
)

// What an issue can say, besides errnos.
const (
	// complete is IOU_COMPLETE: res has the result.
	complete = 0
	// queued is IOU_ISSUE_SKIP_COMPLETE: the completion comes, or has come.
	queued = -int64(kernel.EIOCBQUEUED)
	again  = -int64(kernel.EAGAIN)
)

// issue is io_issue_sqe.
func (req *request) issue(t *kernel.Task, f issueFlags) int64 {
	if req.sqe.Opcode == IORING_OP_NOP {
		req.res = 0
		return complete
	}
	if req.sqe.Opcode == IORING_OP_ASYNC_CANCEL {
		req.setRes(req.ring.cancel(t, req))
		return complete
	}
	if !req.assignFile(t, f) {
		return iter.Neg(kernel.EBADF)
	}
	if req.sqe.Opcode.fixed() {
		if err := req.initFixed(t, f); err != kernel.OK {
			return iter.Neg(err)
		}
	}
	req.ended = false
	var ret int64
	if req.sqe.Opcode.write() {
		ret = req.write(t, f.nonblock)
	} else {
		ret = req.read(t, f.nonblock)
	}
	if ret == queued && req.ring.has(IORING_SETUP_IOPOLL) {
		req.pollIssued(t, f)
	}
	return ret
}

// assignFile is io_assign_file: the file is looked up once.
func (req *request) assignFile(t *kernel.Task, f issueFlags) bool {
	switch {
	case req.file != nil:
	case req.sqe.Flags&IOSQE_FIXED_FILE != 0:
		if req.fileNode = req.ring.getNode(t, &req.ring.files, req.sqe.Fd, f); req.fileNode != nil {
			req.file = req.fileNode.file
		}
	case req.sqe.File != nil:
		req.file = req.sqe.File
		req.file.Get(t)
	}
	return req.file != nil
}

// getNode looks a node up and takes a reference for a request; nil if there is none.
func (r *Ring) getNode(t *kernel.Task, from *table, index int, f issueFlags) *node {
	if f.unlocked {
		r.lock(t)
		defer r.unlock(t)
	}
	n := from.lookup(index)
	if n != nil {
		if !r.seed.refsUnlocked {
			r.assertLocked(t, "io_find_buf_node")
		}
		n.get(t)
	}
	return n
}

// initFixed is io_init_rw_fixed: looks the buffer up, unless that was done at an earlier
// issue, and imports it, unless a part was transferred already (IMP-1 to IMP-4).
func (req *request) initFixed(t *kernel.Task, f issueFlags) kernel.Errno {
	if req.bytesDone > 0 && !req.ring.seed.importAgain {
		return kernel.OK
	}
	if t.K.Profile == kernel.V6_12 { // was imported at submission
		return kernel.OK
	}
	if req.node == nil {
		t.Mark("IMP-1")
		if req.node = req.ring.getNode(t, &req.ring.buffers, req.sqe.BufIndex, f); req.node == nil {
			t.Mark("IMP-1 none")
			return kernel.EFAULT
		}
	}
	return req.importBuffer(t, f.nonblock)
}

// prepFixed is the same at submission, as until 6.12.
func (req *request) prepFixed(t *kernel.Task) kernel.Errno {
	n := req.ring.buffers.lookup(req.sqe.BufIndex)
	if n == nil {
		return kernel.EFAULT
	}
	req.node = n
	n.get(t)
	req.generation = req.ring.generations.get()
	return req.importBuffer(t, true)
}

// prepPlain is io_prep_rw of memory that is not registered: the iterator is made once.
func (req *request) prepPlain(t *kernel.Task) kernel.Errno {
	dir := hw.FromDevice
	if req.sqe.Opcode.write() {
		dir = hw.ToDevice
	}
	if req.ring.Mm == nil {
		return kernel.EFAULT
	}
	i, err := iter.ImportUbuf(t, dir, req.ring.Mm, req.sqe.Addr, req.sqe.Len)
	req.iter, req.saved = i, i.Save()
	return err
}

// importBuffer makes the iterator.
func (req *request) importBuffer(t *kernel.Task, nonblock bool) kernel.Errno {
	n, s := req.node, &req.sqe
	t.Use(&n.Mem)
	dir := hw.FromDevice
	if s.Opcode.write() {
		dir = hw.ToDevice
	}
	var err kernel.Errno
	if s.Opcode.vectored() {
		err = req.importVec(t, n.imu, dir)
	} else {
		err = req.importFixed(t, n.imu, dir, nonblock)
	}
	if err == kernel.OK {
		req.saved = req.iter.Save()
	}
	return err
}

// initFile is io_rw_init_file.
func (req *request) initFile(t *kernel.Task, write bool) kernel.Errno {
	file, k := req.file, &req.kiocb
	mode := uint32(iter.FMODE_READ)
	if write {
		mode = iter.FMODE_WRITE
	}
	if file.Mode&mode == 0 {
		return kernel.EBADF
	}
	k.File, k.Flags = file, file.IocbFlags(t)
	if err := k.SetRWFlags(req.sqe.RWFlags, write); err != kernel.OK {
		return err
	}
	k.Flags |= iter.IOCB_ALLOC_CACHE
	if k.Nowait() || file.Flags&iter.O_NONBLOCK != 0 && !supportsNowait(file) {
		req.nowait = true
	}
	if req.ring.has(IORING_SETUP_IOPOLL) {
		if _, ok := file.Ops.(Iopoller); !ok || k.Flags&iter.IOCB_DIRECT == 0 {
			return kernel.EOPNOTSUPP
		}
		k.Private = nil
		k.Flags |= iter.IOCB_HIPRI
		req.polled = false
		if k.Complete == nil {
			k.Complete = req.completePolled
		}
		return kernel.OK
	}
	if k.Flags&iter.IOCB_HIPRI != 0 {
		return kernel.EINVAL
	}
	if k.Complete == nil {
		k.Complete = req.completeRW
	}
	return kernel.OK
}

// supportsNowait is io_file_supports_nowait, of files that cannot be polled for readiness.
func supportsNowait(f *iter.File) bool {
	return f.Flags&iter.O_NONBLOCK != 0 || f.Mode&iter.FMODE_NOWAIT != 0
}
