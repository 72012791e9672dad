package nvmesim

import (
	"dmasim/blkmq"
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// Completion says how the driver hears of the completions of a queue.
type Completion uint8

const (
	// Apart: every command has an interrupt of its own, as if each were on a queue of its
	// own. Commands are then independent of each other, and the handlers of all of them may
	// run in any order: that includes what a queue for every CPU can do.
	Apart Completion = iota
	// Shared: the queue has one interrupt, whose handler takes all that was posted, in that
	// order, and which is not raised again while it is pending.
	Shared
	// Polled: nobody is told; whoever wants a completion has to ask.
	Polled
)

// queuePair is a submission queue with its completion queue, as rings in memory that
// driver and controller share.
type queuePair struct {
	ctrl *Controller
	id   int
	mode Completion
	// obj stands for the rings and the doorbells.
	obj sim.Object

	sq       []entry
	handed   []kernel.Point // of each entry, where its request was handed over
	tail     int            // of the submission queue: where the driver puts the next entry
	doorbell int            // the last tail that the controller was told; it has read up to there
	cq       []cqe
	posted   int // of the completion queue: where the controller puts the next entry
	phase    uint16
	head     int // where the driver takes the next one
	expected uint16
	raised   bool // an interrupt is pending, or being handled

	loose []*cqe // posted and not taken, of mode Apart

	// The rest is the driver's: handler deals with a completion, or leaves it in the batch;
	// flush deals with the batch. enabled is NVMEQ_ENABLED.
	handler func(t *kernel.Task, q *queuePair, cid uint16, s Status, b *blkmq.Batch)
	flush   func(t *kernel.Task, b *blkmq.Batch)
	enabled bool

	epoch   int // counts how often the queue was deleted
	deleted bool
	busy    int // commands that were read from the ring and will be completed
	running int // of these, those that were fetched
	late    int // of these, those that wait for others
	ended   int // completions so far
}

// cqe is a completion queue entry. The lowest bit of status is the phase, which is
// inverted every time that the ring is gone through: so the driver sees what is new.
type cqe struct {
	sqHead uint16
	cid    uint16
	status uint16
	taken  bool
	at     kernel.Point // where it was posted
}

func newQueuePair(t *kernel.Task, c *Controller, id, size int, mode Completion) *queuePair {
	q := &queuePair{ctrl: c, id: id, mode: mode, sq: make([]entry, size), handed: make([]kernel.Point, size), cq: make([]cqe, size)}
	q.reset()
	name := c.Name + " doorbell"
	if id > 1 {
		name += " " + itoa(id)
	}
	t.Own(&q.obj, "doorbell", name)
	return q
}

// reset is what nvme_init_queue does: the rings are empty.
func (q *queuePair) reset() {
	q.tail, q.doorbell, q.posted, q.head = 0, 0, 0, 0
	q.phase, q.expected = 1, 1
	clear(q.cq)
	q.loose, q.raised, q.deleted = nil, false, false
}

// submission is the class of what is done to the queues: commands are independent of
// each other, so these operations commute.
const submission = sim.Commute

// submit is what is done under sq_lock: the commands are put into the ring, and the
// controller is told of them, unless more are to come and the ring does not look full. With
// the doorbell it is one operation; without it, part of the operation that was granted last.
func (q *queuePair) submit(t *kernel.Task, last bool, cmds ...*Command) {
	room := (q.doorbell - q.tail - 1 + len(q.sq)) % len(q.sq)
	if !last && len(cmds) < room {
		t.Touch(&q.obj, sim.Write) // any doorbell includes them
		t.Release(&q.obj)
		q.copy(cmds)
		return
	}
	if len(cmds) == 0 && q.tail == q.doorbell {
		return
	}
	t.Step(sim.Op{Verb: "doorbell", Obj: &q.obj, Class: submission})
	t.Release(&q.obj)
	if q.tail != q.doorbell {
		t.Touch(&q.obj, sim.Write) // others' commands are waiting for it
	}
	q.copy(cmds)
	for q.doorbell != q.tail {
		cmd, handed := decode(&q.sq[q.doorbell]), q.handed[q.doorbell]
		if q.doorbell++; q.doorbell == len(q.sq) {
			q.doorbell = 0
		}
		if !q.deleted { // otherwise the doorbell is that of no queue
			t.OnBehalf(handed, func() { q.ctrl.accept(t, q, cmd) })
		}
	}
}

// copy is nvme_sq_copy_cmd.
func (q *queuePair) copy(cmds []*Command) {
	for _, c := range cmds {
		q.sq[q.tail], q.handed[q.tail] = c.encode(), c.handed
		if q.tail++; q.tail == len(q.sq) {
			q.tail = 0
		}
	}
}

// post puts a completion into the ring and raises an interrupt. It is part of the
// operation that was granted last.
func (q *queuePair) post(t *kernel.Task, cid uint16, s Status) {
	q.ended++
	t.Release(&q.obj)
	c := cqe{sqHead: uint16(q.doorbell), cid: cid, status: uint16(s)<<1 | q.phase, at: t.Point()}
	if q.mode == Apart {
		one := &c
		q.loose = append(q.loose, one)
		t.Interrupt(q.ctrl.irq, func(t *kernel.Task) {
			var b blkmq.Batch
			q.take(t, one, &b)
			q.end(t, &b)
		})
		return
	}
	q.cq[q.posted] = c
	if q.posted++; q.posted == len(q.cq) {
		q.posted, q.phase = 0, q.phase^1
	}
	if q.mode == Shared && !q.raised {
		q.raised = true
		t.Interrupt(q.ctrl.irq, func(t *kernel.Task) {
			for q.reap(t) > 0 { // an interrupt that comes meanwhile is the handler's, too
			}
			q.raised = false
		})
	}
}

// take deals with one completion of mode Apart, unless somebody has.
func (q *queuePair) take(t *kernel.Task, c *cqe, b *blkmq.Batch) {
	t.Touch(&q.obj, submission)
	t.Acquire(&q.obj)
	if c.taken {
		return
	}
	c.taken = true
	for i, l := range q.loose {
		if l == c {
			q.loose = append(q.loose[:i], q.loose[i+1:]...)
			break
		}
	}
	q.handler(t, q, c.cid, Status(c.status>>1), b)
}

// reap is nvme_poll_cq: it deals with all completions that are there, and says how many
// there were. It looks at the ring as part of the operation that was granted last. What was posted
// with an interrupt does not depend on who comes before that.
func (q *queuePair) reap(t *kernel.Task) int {
	n := 0
	if q.mode == Apart {
		for q.pending(t) {
			n++
			c := q.loose[0]
			t.OnBehalf(c.at, func() {
				var b blkmq.Batch
				q.take(t, c, &b)
				q.end(t, &b)
			})
		}
		return n
	}
	var b blkmq.Batch
	for q.pending(t) {
		n++
		c := q.cq[q.head]
		if q.head++; q.head == len(q.cq) {
			q.head, q.expected = 0, q.expected^1
		}
		handle := func() { q.handler(t, q, c.cid, Status(c.status>>1), &b) }
		if q.mode == Shared {
			t.OnBehalf(c.at, handle)
		} else {
			handle()
		}
	}
	q.end(t, &b)
	return n
}

// pending is nvme_cqe_pending.
func (q *queuePair) pending(t *kernel.Task) bool {
	t.Touch(&q.obj, sim.Write)
	t.Acquire(&q.obj)
	if q.mode == Apart {
		return len(q.loose) > 0
	}
	return q.cq[q.head].status&1 == q.expected
}

// end ends the requests of a batch.
func (q *queuePair) end(t *kernel.Task, b *blkmq.Batch) {
	if b.Len() > 0 {
		q.flush(t, b)
	}
}
