package uringsim

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// CQE is struct io_uring_cqe.
type CQE struct {
	UserData uint64
	// Res is the number of bytes, or a negative errno.
	Res int64
}

// completionQueue is the CQ ring, and behind it the list of what found no room in it.
type completionQueue struct {
	obj      sim.Object
	ring     []CQE
	size     int
	overflow []CQE
	dropped  bool // IO_CHECK_CQ_DROPPED_BIT: an entry was lost for want of memory
}

// postCQE is io_fill_cqe_aux, or io_fill_cqe_req and its overflow. It is part of the
// operation before it: what protects the queue is held.
func (r *Ring) postCQE(t *kernel.Task, c CQE) {
	q := &r.cq
	t.Touch(&q.obj, sim.Write)
	t.Locked(&q.obj)
	t.Progress("completion")
	for _, c := range r.tasks { // io_cqring_wake
		if c.task != t {
			t.Touch(&c.obj, sim.Write)
		}
	}
	if len(q.ring) < q.size && len(q.overflow) == 0 {
		q.ring = append(q.ring, c)
		return
	}
	if t.MayFail(kernel.GFP_ATOMIC, "io_overflow_cqe") != kernel.OK {
		q.dropped = true
		return
	}
	q.overflow = append(q.overflow, c)
}

// flushOverflow is __io_cqring_overflow_flush: moves what has room by now. -EBADR says that
// entries were lost.
func (r *Ring) flushOverflow(t *kernel.Task) kernel.Errno {
	q := &r.cq
	t.Touch(&q.obj, sim.Read)
	if len(q.overflow) > 0 {
		t.Touch(&q.obj, sim.Write)
		n := min(q.size-len(q.ring), len(q.overflow))
		q.ring = append(q.ring, q.overflow[:n]...)
		q.overflow = q.overflow[n:]
	}
	if q.dropped {
		q.dropped = false
		return kernel.EBADR
	}
	return kernel.OK
}

// events is the number of entries that the user can see.
func (r *Ring) events(t *kernel.Task) int {
	t.Touch(&r.cq.obj, sim.Read)
	t.Acquire(&r.cq.obj)
	return len(r.cq.ring)
}

// PeekCQE takes the oldest entry, if there is one: the user reads the ring and does not
// enter the kernel. It is part of the operation before it.
func (r *Ring) PeekCQE(t *kernel.Task) (CQE, bool) {
	if r.events(t) == 0 {
		return CQE{}, false
	}
	t.Touch(&r.cq.obj, sim.Write)
	c := r.cq.ring[0]
	r.cq.ring = r.cq.ring[:copy(r.cq.ring, r.cq.ring[1:])]
	return c, true
}
