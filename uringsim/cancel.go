package uringsim

import (
	"slices"

	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// cancel is IORING_OP_ASYNC_CANCEL: 0, the number cancelled with IORING_ASYNC_CANCEL_ALL or
// ANY, -EALREADY for what runs, -ENOENT for what is not found. What the device has is not
// found.
func (r *Ring) cancel(t *kernel.Task, by *request) int64 {
	anyone := by.sqe.RWFlags&IORING_ASYNC_CANCEL_ANY != 0
	all := anyone || by.sqe.RWFlags&IORING_ASYNC_CANCEL_ALL != 0
	n := int64(0)
	t.Step(sim.Op{Verb: "io-wq cancel", Obj: &r.wq.obj})
	for _, req := range slices.Clone(r.wq.list) {
		if req == by || !anyone && req.sqe.UserData != by.sqe.Addr {
			continue
		}
		withdrawn := req.cancelWork(t)
		switch {
		case all:
			n++
		case withdrawn:
			return 0
		default:
			return iter.Neg(kernel.EALREADY)
		}
	}
	if all {
		return n
	}
	return iter.Neg(kernel.ENOENT)
}

// cancelWork is io_wq_cancel_work of one item, as part of an operation on the queue: true
// if it had not begun. What runs has its interruptible waits ended, as by a signal.
func (req *request) cancelWork(t *kernel.Task) bool {
	w := &req.ring.wq
	t.Touch(&w.obj, sim.Write)
	req.work.cancelled = true
	if !req.work.running && req.work.worker.Withdraw(t.Task) {
		w.forget(req)
		req.failLater(t, iter.Neg(kernel.ECANCELED))
		return true
	}
	if !req.work.worker.Done() {
		t.SetNotifySignal(req.work.worker)
	}
	return false
}

// GroupStop is what a stop of the process does to the ring's workers (SIGSTOP, which a debugger sends, too);
// the freezer, of a suspend or of a container, does the same. Each has a signal pending until it is done with its
// request, and that ends its interruptible waits. It goes on when the process is continued.
func (r *Ring) GroupStop(t *kernel.Task) {
	t.Step(sim.Op{Verb: "do_signal_stop", Obj: &r.wq.obj})
	for _, req := range slices.Clone(r.wq.list) {
		if w := req.work.worker; req.work.running && !w.Done() {
			t.SendSignal(w, false)
		}
	}
}
