package uringsim

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// Ring is one io_uring instance: struct io_ring_ctx. It belongs to one task, which
// submits and reaps.
type Ring struct {
	// uringLock protects the table, node references and completions.
	uringLock kernel.Mutex
	table     []*node
	cq        []CQE
	wq        ioWq
	inFlight  int
	tw        []func(*kernel.Task) // completions to be handled, oldest first
}

// CQE is struct io_uring_cqe.
type CQE struct {
	UserData uint64
	// Res is the number of bytes, or a negative errno.
	Res int64
}

// NewRing sets up a ring with a table of slots buffers and the default limit of
// bounded workers.
func NewRing(t *kernel.Task, slots int) *Ring {
	r := &Ring{table: make([]*node, slots)}
	r.uringLock.Init(t, nil, "uring_lock")
	t.Own(&r.wq.obj, "io-wq", "io-wq")
	r.wq.limit = defaultBoundedWorkers
	return r
}

// WaitCQE returns the next completion entry, waiting for one if there is none: it is
// io_uring_enter with min_complete 1. Task work of the calling task runs meanwhile.
func (r *Ring) WaitCQE(t *kernel.Task) CQE {
	for len(r.cq) == 0 {
		t.WaitTaskWork()
	}
	c := r.cq[0]
	r.cq = r.cq[1:]
	return c
}

// addTaskWork is io_req_task_work_add: the ring keeps the order of its completions,
// whatever the order in which task work runs.
func (r *Ring) addTaskWork(t, owner *kernel.Task, fn func(*kernel.Task)) {
	err := t.TaskWorkAdd(owner, &kernel.TaskWork{Func: func(t *kernel.Task) {
		next := r.tw[0]
		r.tw = r.tw[1:]
		next(t)
	}}, kernel.TWA_SIGNAL)
	if err != kernel.OK { // the task has exited
		t.Kthread("io_fallback_tw", sim.Op{Verb: "run"}, fn)
		return
	}
	r.tw = append(r.tw, fn) // part of the same operation
}

// InFlight counts the requests that were submitted and have no completion entry, for
// auditors.
func (r *Ring) InFlight() int { return r.inFlight }

// defaultBoundedWorkers is min(submission entries, 4 x CPUs) as it was observed.
const defaultBoundedWorkers = 8

// ioWq is the bounded pool of workers of a ring.
type ioWq struct {
	obj           sim.Object
	limit, active int
}

// Ready tells whether another worker may run.
func (w *ioWq) Ready(*sim.Task) bool { return w.active < w.limit }

// queue is io_queue_iowq: fn runs in a worker.
func (w *ioWq) queue(t *kernel.Task, fn func(*kernel.Task)) {
	t.Kthread("iou-wrk", sim.Op{Verb: "io-wq run", Obj: &w.obj, Guard: w}, func(t *kernel.Task) {
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
