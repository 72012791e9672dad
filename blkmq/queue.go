package blkmq

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// Ops is struct blk_mq_ops.
type Ops interface {
	token.Driver
	// QueueRq is queue_rq: gives the request to the hardware. It may not sleep. Any
	// status but BLK_STS_OK ends the request.
	QueueRq(t *kernel.Task, rq *Request) kernel.BlkStatus
}

// Limits is struct queue_limits, as far as it is needed; sizes in bytes.
type Limits struct {
	LogicalBlock uint32
	// MaxBytes is max_sectors in bytes.
	MaxBytes    uint32
	MaxSegments uint32
	// DmaAlignment is a mask.
	DmaAlignment uint32
}

// Queue is struct request_queue with its disk.
type Queue struct {
	Name   string
	Limits Limits
	// Size of the device, in bytes.
	Size   int64
	Ops    Ops
	Tags   *Tagset
	Design token.Design
	// Batch is set for a queue without a scheduler and with more than one hardware
	// queue: completions are collected in batches (CMP-3a).
	Batch bool

	refs  sim.Object
	count int
	dying bool
}

// NewQueue returns a live queue, with the reference of its disk.
func NewQueue(t *kernel.Task, name string, size int64, depth int, l Limits, ops Ops, d token.Design) *Queue {
	q := &Queue{Name: name, Limits: l, Size: size, Ops: ops, Design: d, count: 1}
	q.Tags = NewTagset(t, name+" tags", depth)
	t.Own(&q.refs, "request_queue", name)
	return q
}

// Get is blk_get_queue: false if the queue is dying.
func (q *Queue) Get(t *kernel.Task) bool {
	t.Touch(&q.refs, kernel.RefcountGet)
	if q.dying {
		return false
	}
	q.count++
	return true
}

// Put is blk_put_queue.
func (q *Queue) Put(t *kernel.Task) {
	t.Step(sim.Op{Verb: "blk_put_queue", Obj: &q.refs})
	if q.count <= 0 {
		t.Fail(kernel.RefcountMisuse, "blk_put_queue of %s without a reference (%s)", q.Name, t.Task)
	}
	q.count--
}

// Remove is what happens when the disk goes: no more I/O is accepted, and the disk's
// reference is dropped.
func (q *Queue) Remove(t *kernel.Task) {
	q.Put(t)
	q.dying = true // part of the operation that Put is
}

// Refs counts the references, for auditors.
func (q *Queue) Refs() int { return q.count }
