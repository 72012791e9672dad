package uringsim

import (
	"dmasim/iter"
	"dmasim/sim/kernel"
)

// link is the chain of a submission that is not complete yet: ctx->submit_state.link.
type link struct{ head, last *request }

// addLink takes a request into a chain: true if it waits for its turn there, or with the
// chain. A buffer is looked up when its turn comes.
func (r *Ring) addLink(t *kernel.Task, req *request) bool {
	l := &r.linking
	if l.head == nil {
		if req.sqe.Flags&links == 0 {
			return false
		}
		l.head, l.last = req, req
		return true
	}
	l.last.next, l.last = req, req
	if req.sqe.Flags&links == 0 {
		r.endLink(t)
	}
	return true
}

// endLink starts a chain: at its last entry, or where the submission ends without one.
func (r *Ring) endLink(t *kernel.Task) {
	head := r.linking.head
	if head == nil {
		return
	}
	r.linking = link{}
	if head.failed {
		head.sqe.Flags &^= IOSQE_IO_HARDLINK
		head.sqe.Flags |= IOSQE_IO_LINK
		head.deferComplete(t)
		return
	}
	head.queue(t)
}

// refused is io_submit_fail_init: a request that is wrong fails, and its chain with it.
func (req *request) refused(t *kernel.Task, err kernel.Errno) {
	r := req.ring
	req.setRes(iter.Neg(err))
	l := &r.linking
	if l.head == nil {
		if req.sqe.Flags&links == 0 {
			req.deferComplete(t)
			return
		}
		l.head, l.last = req, req
		return
	}
	if !l.head.failed {
		l.head.setRes(iter.Neg(kernel.ECANCELED))
	}
	l.last.next, l.last = req, req
	if req.sqe.Flags&links == 0 {
		r.endLink(t)
	}
}

// queueNext is io_queue_next: the next of the chain is issued from task work, or, behind one
// that failed, all the rest is cancelled.
func (req *request) queueNext(t *kernel.Task) {
	next := req.next
	req.next = nil
	if next == nil {
		return
	}
	if req.failed && req.sqe.Flags&IOSQE_IO_HARDLINK == 0 { // io_fail_links
		for ; next != nil; next = next.cut() {
			if !next.failed {
				next.setRes(iter.Neg(kernel.ECANCELED))
			}
			next.ring.compl = append(next.ring.compl, next)
		}
		return
	}
	next.todo = toSubmit
	req.ring.addTaskWork(t, next, false)
}

// cut takes the request out of its chain, and returns the rest.
func (req *request) cut() *request {
	n := req.next
	req.next = nil
	req.sqe.Flags &^= links
	return n
}
