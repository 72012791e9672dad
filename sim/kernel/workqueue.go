package kernel

import (
	"dmasim/sim"
)

// Workqueue is struct workqueue_struct (kernel/workqueue.c). Its workers are
// created when an item is due; max_active limits how many run.
type Workqueue struct {
	obj       sim.Object
	name      string
	maxActive int
	active    int
}

// DefaultMaxActive is WQ_DFL_ACTIVE.
const DefaultMaxActive = 1024

// NewWorkqueue is alloc_workqueue; maxActive 0 means DefaultMaxActive.
func NewWorkqueue(t *Task, name string, maxActive int) *Workqueue {
	if maxActive == 0 {
		maxActive = DefaultMaxActive
	}
	wq := &Workqueue{name: name, maxActive: maxActive}
	t.Own(&wq.obj, "workqueue", name)
	return wq
}

// Work is struct work_struct.
type Work struct {
	obj  sim.Object
	mem  *Mem
	name string
	fn   func(*Task)
	st   *workState // outlives the item, which its own function may free
}

type workState struct {
	pending bool
	running map[*Workqueue]bool // an item does not run twice at once on one queue
	queued  int                 // instances so far
	ended   int
}

// Init is INIT_WORK, as part of in (nil: static storage).
func (w *Work) Init(t *Task, in *Mem, name string, fn func(*Task)) {
	t.own(&w.obj, in, "work", name)
	w.mem, w.name, w.fn, w.st = in, name, fn, &workState{running: map[*Workqueue]bool{}}
}

// workSlot is ready when the item is not running and the queue may run one more.
type workSlot struct {
	wq *Workqueue
	st *workState
}

func (g workSlot) Ready(*sim.Task) bool { return !g.st.running[g.wq] && g.wq.active < g.wq.maxActive }

// Queue is queue_work: false if the item was pending already.
func (wq *Workqueue) Queue(t *Task, w *Work) bool {
	t.Step(sim.Op{Verb: "queue_work", Obj: &w.obj})
	t.Check(w.mem)
	st := w.st
	if st.pending {
		return false
	}
	st.pending = true
	st.queued++
	obj := &w.obj
	op := sim.Op{Verb: "run work", Obj: obj, Guard: workSlot{wq, st}}
	if wq.limited() {
		op.Obj = &wq.obj // what enables it is mostly another item's end
	}
	t.spawn(InWorker, "kworker/"+wq.name, op, func(t *Task) {
		t.Check(w.mem)
		st.pending, st.running[wq] = false, true
		t.Touch(obj, sim.Write)
		wq.count(t, 1)
		w.fn(t)
		// The item may be gone, but not what the queue knows of it.
		st.running[wq] = false
		st.ended++
		t.Touch(obj, sim.Write)
		wq.count(t, -1)
	})
	return true
}

// count notes that an item begins or ends. Items of a queue commute as long as the
// limit is out of reach.
func (wq *Workqueue) count(t *Task, n int) {
	wq.active += n
	if wq.limited() {
		t.Touch(&wq.obj, sim.Write)
	}
}

func (wq *Workqueue) limited() bool { return wq.maxActive < DefaultMaxActive }

// Flush is flush_work: waits for the instance that was queued last, and for none that is
// queued after it began.
func (w *Work) Flush(t *Task) {
	t.MightSleep("flush_work", w.name)
	st := w.st
	t.Step(sim.Op{Verb: "flush_work", Obj: &w.obj, Class: sim.Read})
	last := st.queued
	t.Await("flush_work", &w.obj, sim.Read, func() bool { return st.ended >= last })
}
