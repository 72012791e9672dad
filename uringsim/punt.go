package uringsim

import (
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// defaultBoundedWorkers is min(submission entries, 4 x CPUs) as it was observed.
const defaultBoundedWorkers = 8

// workerName is the name of every worker.
const workerName = "iou-wrk"

// isWorker is io_wq_current_is_worker.
func isWorker(t *kernel.Task) bool { return t.Name == workerName }

// ioWq is the workers of a ring: struct io_wq. I/O of block devices is bounded work, and not
// hashed; but a request that is queued before its file was looked up, as with IOSQE_ASYNC, counts
// as unbounded, and the limit of that pool is out of reach.
type ioWq struct {
	obj           sim.Object
	limit, active int        // of the bounded pool
	list          []*request // queued or running, of both
}

// ioWork is struct io_wq_work.
type ioWork struct {
	worker    *kernel.Task
	running   bool
	cancelled bool // IO_WQ_WORK_CANCEL
}

// Ready tells whether another worker of the bounded pool may run.
func (w *ioWq) Ready(*sim.Task) bool { return w.active < w.limit }

// queue is io_wq_enqueue: fn runs in a worker.
func (w *ioWq) queue(t *kernel.Task, bounded bool, fn func(*kernel.Task)) *kernel.Task {
	if !bounded {
		return t.Kthread(workerName, sim.Op{Verb: "io-wq run", Obj: &w.obj, Class: sim.Commute}, func(t *kernel.Task) {
			fn(t)
			t.Touch(&w.obj, sim.Commute)
		})
	}
	return t.Kthread(workerName, sim.Op{Verb: "io-wq run", Obj: &w.obj, Guard: w}, func(t *kernel.Task) {
		t.Did(w.class())
		w.active++
		fn(t)
		t.Touch(&w.obj, w.class())
		w.active--
	})
}

// class says that workers commute as long as the limit is out of reach.
func (w *ioWq) class() sim.Class {
	if w.active+1 < w.limit {
		return sim.Commute
	}
	return sim.Write
}

// punt is io_queue_iowq: a worker issues the request in blocking mode, with the node held if
// it was found already.
func (req *request) punt(t *kernel.Task) {
	t.Mark("IMP-5 punt")
	if req.bytesDone == 0 {
		req.drop(t) // the worker imports again
	}
	w := &req.ring.wq
	req.work = ioWork{}
	w.list = append(w.list, req)
	bounded := req.file != nil || !req.sqe.Opcode.rw() // io_prep_async_work
	req.work.worker = w.queue(t, bounded, func(t *kernel.Task) {
		req.work.running = true
		req.submitWork(t)
		w.forget(req)
	})
}

func (w *ioWq) forget(req *request) {
	for i, q := range w.list {
		if q == req {
			w.list = append(w.list[:i], w.list[i+1:]...)
			return
		}
	}
}

// submitWork is io_wq_submit_work. -EAGAIN is final here, also that of a write that was short
// once more: what was written so far is its result. Only polled requests try for ever.
func (req *request) submitWork(t *kernel.Task) {
	if req.work.cancelled {
		req.failLater(t, iter.Neg(kernel.ECANCELED))
		return
	}
	t.Mark("IMP-5 from a worker")
	t.Sayf("IMP-5", "issue %v from io-wq, blocking", req.sqe.Opcode)
	for tries := 0; ; tries++ {
		ret := req.issue(t, fromIoWq)
		switch {
		case ret == queued:
			return
		case ret == complete:
			req.todo = toComplete
			req.ring.addTaskWork(t, req, false)
			return
		case ret != again || req.nowait || !req.ring.has(IORING_SETUP_IOPOLL):
			req.failLater(t, ret)
			return
		}
		t.Touch(&req.ring.wq.obj, sim.Read)
		if req.work.cancelled { // io_wq_worker_stopped
			req.failLater(t, ret)
			return
		}
		req.retry(t, tries)
	}
}

// failLater is io_req_task_queue_fail.
func (req *request) failLater(t *kernel.Task, res int64) {
	req.res, req.todo = res, toFail
	req.ring.addTaskWork(t, req, false)
}
