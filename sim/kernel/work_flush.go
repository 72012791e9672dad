package kernel

import (
	"fmt"
	"slices"

	"dmasim/sim"
)

// finished is ready when the items have ended, or were cancelled.
type finished []*item

func (f finished) Ready(*sim.Task) bool {
	return !slices.ContainsFunc(f, func(it *item) bool { return !it.done })
}

// Owners are the workers, those of the items that have not started included.
func (f finished) Owners(*sim.Task) (out []*sim.Task) {
	for _, it := range f {
		if !it.done {
			out = append(out, it.worker.Task)
		}
	}
	return out
}

// latest is the item that was queued last, if it has not ended. Where a work runs from more
// than one queue, only the worker that started it last is remembered.
func (st *workState) latest() *item {
	if st.queued != nil {
		return st.queued
	}
	return st.executing()
}

func (st *workState) executing() *item {
	if st.last != nil && !st.last.done {
		return st.last
	}
	return nil
}

// Flush is flush_work: waits for the instance that was queued last, and for none that is
// queued after it began. It tells whether there was one.
func (w *Work) Flush(t *Task) bool {
	t.MightSleep("flush_work", w.name)
	return w.flush(t, "flush_work")
}

func (w *Work) flush(t *Task, verb string) bool {
	st := w.st
	if st == nil {
		t.Warn("%s of a work that was not initialised (%s)", verb, t.Task)
		return false
	}
	t.Step(sim.Op{Verb: verb, Obj: &st.obj, Class: sim.Read})
	t.Check(w.mem)
	t.Acquire(&st.obj)
	it := st.latest()
	if it == nil {
		return false
	}
	it.wq.mayFlush(t, st.name)
	st.order(t, it.wq)
	t.Step(sim.Op{Verb: verb, Obj: &st.obj, Class: sim.Read, Guard: finished{it}})
	t.Acquire(&st.obj)
	return true
}

// order tells lockdep that t waits for the work. Where an item can keep another one of its
// queue from running, that is a wait for any item of the queue.
func (st *workState) order(t *Task, wq *Workqueue) {
	t.waits(st.completion(t))
	if wq.maxActive == 1 || wq.flags&WQ_MEM_RECLAIM != 0 {
		t.waits(wq.completion(t))
	}
}

// mayFlush is check_flush_dependency: who must make progress without memory does not wait
// for a queue without a rescuer.
func (wq *Workqueue) mayFlush(t *Task, what string) {
	if wq.flags&WQ_MEM_RECLAIM != 0 {
		return
	}
	if t.alloc.scope&memalloc != 0 {
		t.flagOnce(sim.Warn, "workqueue: PF_MEMALLOC task is flushing !WQ_MEM_RECLAIM", fmt.Sprintf(" %s:%s (%s)", wq.name, what, t.Task))
	}
	if it := t.work; it != nil && it.wq.flags&WQ_MEM_RECLAIM != 0 {
		t.flagOnce(sim.Warn, "workqueue: WQ_MEM_RECLAIM worker is flushing !WQ_MEM_RECLAIM", fmt.Sprintf(" %s:%s (%s:%s)", wq.name, what, it.wq.name, it.st.name))
	}
}

// Flush is flush_workqueue: waits for all that was queued before. What waits on a timer is
// not queued.
func (wq *Workqueue) Flush(t *Task) {
	t.MightSleep("flush_workqueue", wq.name)
	if wq.flags&wqSystem != 0 {
		t.Warn("flush_workqueue(%s): a system-wide queue must not be flushed (%s)", wq.name, t.Task)
	}
	t.waits(wq.completion(t))
	t.Step(sim.Op{Verb: "flush_workqueue", Obj: &wq.obj, Class: sim.Read})
	t.Acquire(&wq.obj)
	before := finished(slices.Clone(wq.items))
	if len(before) == 0 {
		return
	}
	wq.mayFlush(t, "all of it")
	t.Step(sim.Op{Verb: "flush_workqueue", Obj: &wq.obj, Class: sim.Read, Guard: before})
	t.Acquire(&wq.obj)
}
