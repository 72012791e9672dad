package blkmq

import "dmasim/sim/kernel"

// Dying is blk_queue_dying.
func (q *Queue) Dying(t *kernel.Task) bool {
	t.Touch(&q.refs, using)
	return q.dying
}

// Requests are the requests of the batch, for the driver that unmaps them before they end.
func (b *Batch) Requests() []*Request { return b.rqs }
