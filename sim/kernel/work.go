package kernel

import (
	"fmt"
	"slices"

	"dmasim/sim"
)

// Work is struct work_struct.
type Work struct {
	mem  *Mem
	name string
	fn   func(*Task)
	st   *workState // outlives the work, which its own function may free
}

// workState is what the work's data field knows, and the workers.
type workState struct {
	obj      sim.Object
	name     string
	dep      lockDep
	pending  bool  // the PENDING bit
	queued   *item // nil while pending elsewhere: on a timer, or for a grace period
	running  []*item
	last     *item // that was started last
	disabled int

	timer   *sim.Timer // of a delayed work
	timerWq *Workqueue
}

// item is one queueing of a work, until its function has returned.
type item struct {
	wq     *Workqueue
	cpu    int
	st     *workState
	worker *Task
	active bool // counts for max_active
	// runnable says that there is a worker for it.
	runnable, started, done bool
}

// Init is INIT_WORK, as part of in (nil: static storage).
func (w *Work) Init(t *Task, in *Mem, name string, fn func(*Task)) {
	if w.st != nil && w.st.pending {
		t.Fail(sim.Misuse, "ODEBUG: init active object: work %s is pending (%s)", name, t.Task)
	}
	st := &workState{name: name}
	t.own(&st.obj, in, "work", name)
	w.mem, w.name, w.fn, w.st = in, name, fn, st
	in.freeCheck(func(t *Task) { st.freed(t, in) })
}

// freed is called before the object that the work is part of is freed. Once its function
// has been called a work may be freed from inside it (C-WQ-14).
func (st *workState) freed(t *Task, in *Mem) {
	if st.pending {
		t.Fail(UseAfterFree, "ODEBUG: free active object: work %s of %s is pending; freed by %s", st.name, in, t.Task)
	}
	for _, it := range st.running {
		if it.worker != t {
			t.Fail(UseAfterFree, "work %s of %s is running (%s); freed by %s", st.name, in, it.worker.Task, t.Task)
		}
	}
}

// Queue is queue_work: false if the work was pending already, or is disabled. Any context.
func (wq *Workqueue) Queue(t *Task, w *Work) bool { return wq.QueueOn(t, t.cpu, w) }

// QueueOn is queue_work_on: for a queue that is bound to CPUs, its limit counts for each.
func (wq *Workqueue) QueueOn(t *Task, cpu int, w *Work) bool {
	if !w.claim(t, "queue_work") {
		return false
	}
	wq.insert(t, cpu, w)
	return true
}

// claim is an operation that sets PENDING: false if it cannot.
func (w *Work) claim(t *Task, verb string) bool {
	st := w.st
	if st == nil {
		t.Fail(sim.Misuse, "%s of a work that was not initialised (%s)", verb, t.Task)
	}
	t.Step(sim.Op{Verb: verb, Obj: &st.obj})
	t.Check(w.mem)
	t.FullyOrdered(&st.obj) // even if it is pending already
	if st.pending || st.disabled > 0 {
		t.Did(sim.Read)
		return false
	}
	st.pending = true
	return true
}

// insert is __queue_work: the work, whose PENDING bit the caller has set, goes on the
// queue. The operation it is part of writes the work.
func (wq *Workqueue) insert(t *Task, cpu int, w *Work) {
	st := w.st
	t.Touch(&wq.obj, wq.class(t))
	wq.deprecated(t, st)
	if wq.refuses(t, st) {
		return
	}
	if wq.flags&WQ_UNBOUND != 0 {
		cpu = 0
	}
	it := &item{wq: wq, cpu: cpu, st: st}
	st.queued = it
	wq.items = append(wq.items, it)
	ctx, name := InWorker, "kworker/"+wq.name
	if wq.flags&WQ_BH != 0 {
		ctx, name = InSoftirq, "bh/"+wq.name
	}
	it.worker = t.spawn(ctx, name, sim.Op{Verb: "run work", Obj: &st.obj, Guard: it}, func(t *Task) { it.run(t, w) })
	wq.schedule(t, st)
}

// deprecated warns, once, of the use of an old name.
func (wq *Workqueue) deprecated(t *Task, st *workState) {
	if wq.flags&wqDeprecated != 0 && t.K.Profile >= V7_3 {
		t.flagOnce(sim.Warn, "workqueue: a work is queued on a deprecated queue; use system_percpu_wq or system_dfl_wq", fmt.Sprintf(": %s on %s", st.name, wq.name))
	}
}

// Ready tells whether the item can start: there is a worker, and the work is not running
// already from the same queue.
func (it *item) Ready(*sim.Task) bool { return it.runnable && it.elsewhere() == nil }

// elsewhere is the item of the same work and queue that is running.
func (it *item) elsewhere() *item {
	for _, o := range it.st.running {
		if o.wq == it.wq {
			return o
		}
	}
	return nil
}

// Owners are the workers that have to finish before the item can start.
func (it *item) Owners(*sim.Task) (out []*sim.Task) {
	if o := it.elsewhere(); o != nil {
		return []*sim.Task{o.worker.Task}
	}
	if it.runnable {
		return nil
	}
	for _, o := range it.wq.items {
		if !it.active && o.active && o.cpu == it.cpu || it.active && o == it.wq.rescued {
			out = append(out, o.worker.Task)
		}
	}
	return out
}

// Explain says why nothing runs the item although no item keeps it from running.
func (it *item) Explain(t *sim.Task) string {
	switch {
	case it.runnable:
		return ""
	case !it.active:
		return "work of others occupies the queue"
	}
	return "no worker can be created, and the queue has no rescuer"
}

// run is process_one_work. PENDING is cleared just before the function is called, and
// nothing of the work is used after that.
func (it *item) run(t *Task, w *Work) {
	t.Check(w.mem)
	t.Acquire(&it.st.obj)
	st, wq, fn := it.st, it.wq, w.fn
	st.pending, st.queued, st.last, it.started = false, nil, it, true
	st.running = append(st.running, it)
	t.work = it
	if wq.rescued == it {
		t.Name = "kworker/R-" + wq.name
	}
	wqMap, map_ := wq.completion(t), st.completion(t)
	t.note(Note{Kind: NoteWork, Name: st.name, On: wq})
	t.acquired(wqMap, mayWait)
	t.acquired(map_, mayWait)
	fn(t)
	t.released(map_)
	t.released(wqMap)
	t.work = nil
	it.done = true
	st.running = slices.DeleteFunc(st.running, func(o *item) bool { return o == it })
	t.Touch(&st.obj, sim.Write)
	t.Release(&st.obj)
	t.Release(&wq.obj)
	wq.remove(t, it)
}

// completion is the map that the work holds while it runs.
func (st *workState) completion(t *Task) *lockDep {
	if st.dep.class == nil {
		t.initDep(&st.dep, &st.obj, "(work_completion)"+st.name)
	}
	return &st.dep
}
