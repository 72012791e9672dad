package kernel

import (
	"slices"

	"dmasim/sim"
)

// wwWaiter is a transaction that waits in the queue of a ww_mutex. The queue is sorted,
// the oldest first. Waiters without a context are not in it: nobody is compared with
// them.
type wwWaiter struct {
	w   *WWMutex
	ctx *AcquireCtx
}

// Ready tells whether the waiter can go on: because the lock is free, or since it must
// give way.
func (q *wwWaiter) Ready(*sim.Task) bool { return q.w.owner == nil || q.w.dies(q.ctx) }

// Owners is the holder, for deadlock reports.
func (q *wwWaiter) Owners(*sim.Task) []*sim.Task { return q.w.owners() }

// enqueue puts the waiter into its place.
func (w *WWMutex) enqueue(q *wwWaiter) {
	i := 0
	for i < len(w.queue) && !w.queue[i].ctx.younger(q.ctx) {
		i++
	}
	w.queue = slices.Insert(w.queue, i, q)
}

func (w *WWMutex) dequeue(q *wwWaiter) {
	i := slices.Index(w.queue, q)
	w.queue = slices.Delete(w.queue, i, i+1)
}

// dies tells whether a transaction that waits for the lock, or is about to, has to back
// off. One without locks never has to: nobody waits for it.
func (w *WWMutex) dies(ctx *AcquireCtx) bool {
	switch {
	case ctx.acquired == 0:
		return false
	case ctx.class.algo == WoundWait:
		return ctx.wounded
	}
	return w.ctx != nil && ctx.younger(w.ctx) || w.behind(ctx)
}

// behind tells whether an older transaction waits: it will hold the lock before ctx does,
// and ctx would have to die then.
func (w *WWMutex) behind(ctx *AcquireCtx) bool {
	return len(w.queue) > 0 && ctx.younger(w.queue[0].ctx)
}

// wound tells the holder's transaction to back off if ctx is older and has locks that the
// holder might want (WoundWait). The holder notices when it has to wait for a lock.
func (w *WWMutex) wound(t *Task, ctx *AcquireCtx) {
	if h := w.ctx; h != nil && ctx.acquired > 0 && h.younger(ctx) {
		h.wounded = true
		t.Touch(by(t, h.owner), sim.Write)
	}
}

// overtook lets those who wait wound the transaction that has just taken the lock before
// them.
func (w *WWMutex) overtook(t *Task) {
	if w.ctx == nil || w.ctx.class.algo != WoundWait {
		return
	}
	for _, q := range w.queue {
		w.wound(t, q.ctx)
		if w.ctx.wounded {
			return
		}
	}
}

// wwSleep is the guard of a waiter, which a signal ends too in some states.
type wwSleep struct {
	*wwWaiter
	t     *Task
	state State
}

func (s *wwSleep) Ready(t *sim.Task) bool { return s.wwWaiter.Ready(t) || s.t.interrupted(s.state) }
