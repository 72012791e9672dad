package kernel

import (
	"slices"

	"dmasim/sim"
)

// remove takes an item off the queue that ended or was cancelled.
func (wq *Workqueue) remove(t *Task, it *item) {
	wq.items = slices.DeleteFunc(wq.items, func(o *item) bool { return o == it })
	if wq.rescued == it {
		wq.rescued = nil
	}
	t.Touch(&wq.obj, wq.class(t))
	if wq.limited(t) {
		wq.schedule(t, nil)
	}
}

// resized is called when the limit of a queue has changed, or what it can get of workers.
func (wq *Workqueue) resized(t *Task) {
	t.Touch(&wq.obj, sim.Write)
	wq.schedule(t, nil)
}

// schedule makes items active as far as the limit goes, and those runnable for which there
// is a worker. Whose state changes is written by the operation that this is part of; the
// one of fresh, it writes anyway.
func (wq *Workqueue) schedule(t *Task, fresh *workState) {
	limit := wq.limit(t)
	for _, it := range wq.items {
		if !it.active && wq.active(it.cpu) < limit {
			it.active = true
		}
	}
	exhausted := t.K.withoutWorkers()
	if exhausted {
		wq.rescue()
	} else {
		wq.rescued = nil
	}
	for _, it := range wq.items {
		r := it.active && (!exhausted || it == wq.rescued || wq.flags&WQ_BH != 0)
		if it.started || r == it.runnable {
			continue
		}
		it.runnable = r
		if it.st != fresh {
			t.Touch(&it.st.obj, sim.Write)
		}
	}
}

// active is the number of active items, on one CPU if they are counted by CPU.
func (wq *Workqueue) active(cpu int) int {
	n := wq.occupied
	for _, it := range wq.items {
		if it.active && it.cpu == cpu {
			n++
		}
	}
	return n
}
