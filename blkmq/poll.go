package blkmq

import (
	"dmasim/iter"
	"dmasim/sim/kernel"
)

// polls is blk_mq_can_poll.
func (q *Queue) polls() bool {
	n := len(q.hctxs)
	return n > 0 && q.hctxs[n-1].tags.poll
}

// Poll is bio_poll: asks the hardware queue that has the bio for what it has finished. It
// flushes the plug first. The number of completions that it found.
func (b *Bio) Poll(t *kernel.Task) int {
	q, h := b.Queue, b.Cookie
	if h == nil || b.Flags&REQ_POLLED == 0 {
		return 0
	}
	if p := plugOf(t); p != nil {
		p.flush(t, false)
	}
	t.Touch(&q.refs, using)
	if q.frozen > 0 && q.usage == 0 {
		return 0
	}
	q.usage++
	n := q.Ops.(Poller).Poll(t, h)
	q.exit(t, 1)
	return n
}

// Iopoll is the file operation iopoll (iocb_bio_iopoll): polls for the bio of a kiocb.
func (f Fops) Iopoll(t *kernel.Task, k *iter.Kiocb) int {
	b, _ := k.Private.(*Bio)
	if b == nil {
		return 0
	}
	return b.Poll(t)
}
