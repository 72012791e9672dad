package kernel

import "dmasim/sim"

// WaitQueue is struct wait_queue_head (kernel/sched/wait.c). Each of its calls holds the
// lock of the queue for the time of one operation.
//
// An iteration of a wait_event loop is one operation: to be woken, to take the lock and to
// queue once more. The test of the condition comes between two of them, and has whatever
// operations it has.
type WaitQueue struct {
	obj     sim.Object
	mem     *Mem
	entries []*WaitEntry
	// walker holds the lock while a wake function runs that may have operations of its own.
	walker *Task
	dep    lockDep
}

// WaitEntry is struct wait_queue_entry.
type WaitEntry struct {
	// Func is the wake function: it runs in the context of whoever wakes, with the lock
	// held and interrupts off. What it returns is above zero if it woke somebody, and below
	// if the walk over the queue is to stop. nil is AutoremoveWake.
	Func func(t *Task, e *WaitEntry, w Wake) int
	// Exclusive is WQ_FLAG_EXCLUSIVE.
	Exclusive bool

	task  *Task
	queue *WaitQueue // nil: not queued
}

// Wake is what a wake function is told of the wake-up.
type Wake struct {
	// Interruptible is TASK_INTERRUPTIBLE: leaves alone those that sleep otherwise.
	Interruptible bool
	Key           any
}

// Init is init_waitqueue_head, as part of in (nil: static storage).
func (q *WaitQueue) Init(t *Task, in *Mem, name string) {
	t.own(&q.obj, in, "wait queue", name)
	q.mem, q.entries, q.walker = in, nil, nil
	t.initDep(&q.dep, &q.obj, name)
}

// Ready tells whether the lock is free.
func (q *WaitQueue) Ready(*sim.Task) bool { return q.walker == nil }

// Owners is the holder of the lock.
func (q *WaitQueue) Owners(*sim.Task) []*sim.Task {
	if q.walker == nil {
		return nil
	}
	return []*sim.Task{q.walker.Task}
}

// lock is the operation of a call; it ends with the lock given up.
func (q *WaitQueue) lock(t *Task, verb string) {
	if q.walker == t {
		t.Fail(sim.Deadlock, "spinlock recursion: %s calls %s on %s from a wake function, which runs with the lock held", t.Task, verb, q.obj.Name)
	}
	t.touch(&q.dep)
	t.Step(sim.Op{Verb: verb, Obj: &q.obj, Guard: q})
	t.Check(q.mem)
	t.Locked(&q.obj)
}

// WakeUp is wake_up: all waiters that are not exclusive, and one that is. Any context.
func (q *WaitQueue) WakeUp(t *Task) { q.WakeUpKey(t, "wake_up", 1, Wake{}) }

// WakeUpNr is wake_up_nr: n exclusive ones.
func (q *WaitQueue) WakeUpNr(t *Task, n int) { q.WakeUpKey(t, "wake_up_nr", n, Wake{}) }

// WakeUpAll is wake_up_all.
func (q *WaitQueue) WakeUpAll(t *Task) { q.WakeUpKey(t, "wake_up_all", 0, Wake{}) }

// WakeUpInterruptible is wake_up_interruptible.
func (q *WaitQueue) WakeUpInterruptible(t *Task) {
	q.WakeUpKey(t, "wake_up_interruptible", 1, Wake{Interruptible: true})
}

// WakeUpKey is __wake_up: the wake functions are called from the first entry of the queue
// on, until n exclusive waiters were woken (0: no limit), or one says to stop.
func (q *WaitQueue) WakeUpKey(t *Task, call string, n int, w Wake) {
	q.lock(t, call)
	if len(q.entries) == 0 {
		t.Did(sim.Read)
	}
	for _, e := range append([]*WaitEntry(nil), q.entries...) {
		if e.queue != q { // a wake function took it off
			continue
		}
		exclusive := e.Exclusive
		woken := q.call(t, e, w)
		if woken < 0 {
			break
		}
		if woken > 0 && exclusive {
			if n--; n == 0 {
				break
			}
		}
	}
	q.unlock(t)
}

// call calls the wake function of an entry.
func (q *WaitQueue) call(t *Task, e *WaitEntry, w Wake) int {
	if e.Func == nil {
		return AutoremoveWake(t, e, w)
	}
	q.walker = t
	flags := t.LocalIrqSave()
	t.PreemptDisable()
	t.acquired(&q.dep, trying)
	n := e.Func(t, e, w)
	t.released(&q.dep)
	t.PreemptEnable()
	t.LocalIrqRestore(flags)
	return n
}

// unlock gives up a lock that a wake function kept through operations of its own.
func (q *WaitQueue) unlock(t *Task) {
	if q.walker != nil {
		t.Touch(&q.obj, sim.Write)
		t.Release(&q.obj)
		q.walker = nil
	}
}

// AutoremoveWake is autoremove_wake_function: wakes the task, and takes the entry off the
// queue if that was asleep.
func AutoremoveWake(t *Task, e *WaitEntry, w Wake) int {
	n := DefaultWake(t, e, w)
	if n > 0 {
		e.queue.remove(e)
	}
	return n
}

// DefaultWake is default_wake_function: wakes the task, 0 if it was running.
func DefaultWake(t *Task, e *WaitEntry, w Wake) int {
	return boolInt(t.tryToWakeUp(e.task, w.Interruptible))
}

// PrepareToWait is prepare_to_wait: queues the entry for the calling task, unless it is
// queued, and says that the task is about to sleep. The condition has to be tested after it.
func (q *WaitQueue) PrepareToWait(t *Task, e *WaitEntry, s State) {
	q.lock(t, "prepare_to_wait")
	e.Exclusive = false
	q.insert(t, e)
	t.sleeps(true, s)
}

// PrepareToWaitExclusive is prepare_to_wait_exclusive: true if the queue was empty.
func (q *WaitQueue) PrepareToWaitExclusive(t *Task, e *WaitEntry, s State) bool {
	q.lock(t, "prepare_to_wait_exclusive")
	e.Exclusive = true
	first := e.queue == nil && len(q.entries) == 0
	q.insert(t, e)
	t.sleeps(true, s)
	return first
}

// FinishWait is finish_wait: the task runs, and the entry is not queued any more.
func (q *WaitQueue) FinishWait(t *Task, e *WaitEntry) {
	t.Step(sim.Op{Verb: "finish_wait", Obj: &q.obj, Guard: q})
	t.sleeps(false, t.state)
	if e.queue != q { // it is not looked at, and may have been freed
		t.Did(sim.Read)
		return
	}
	t.Check(q.mem)
	t.Locked(&q.obj)
	q.remove(e)
}

// AddWaitQueue is add_wait_queue: the entry stays queued until RemoveWaitQueue, unless its
// wake function does otherwise. An entry without one gets DefaultWake.
func (q *WaitQueue) AddWaitQueue(t *Task, e *WaitEntry) {
	q.lock(t, "add_wait_queue")
	if e.Func == nil {
		e.Func = DefaultWake
	}
	q.insert(t, e)
}

// RemoveWaitQueue is remove_wait_queue.
func (q *WaitQueue) RemoveWaitQueue(t *Task, e *WaitEntry) {
	q.lock(t, "remove_wait_queue")
	if e.queue == q {
		q.remove(e)
	}
}

// Active is waitqueue_active: whether there are waiters. What the caller stored before is
// visible before the test: it has a full barrier in between; see StoreAndTestActive.
func (q *WaitQueue) Active(t *Task) bool {
	t.Step(sim.Op{Verb: "waitqueue_active", Obj: &q.obj, Class: sim.Read})
	t.Check(q.mem)
	return len(q.entries) > 0
}

// StoreAndTestActive is a store of the condition with waitqueue_active after it and no full
// barrier in between: a processor with a store buffer may read the queue before others see
// the store. The machine is sequentially consistent, so which comes first is a choice; the
// other operations of the caller keep their order.
func (q *WaitQueue) StoreAndTestActive(t *Task, store func(*Task)) bool {
	if t.Choose(2, "waitqueue_active before the store is visible") == 1 {
		active := q.Active(t)
		store(t)
		return active
	}
	store(t)
	return q.Active(t)
}

// insert queues the entry: exclusive ones last, others first.
func (q *WaitQueue) insert(t *Task, e *WaitEntry) {
	if e.queue != nil {
		return
	}
	e.task, e.queue = t, q
	if e.Exclusive {
		q.entries = append(q.entries, e)
	} else {
		q.entries = append([]*WaitEntry{e}, q.entries...)
	}
}

func (q *WaitQueue) remove(e *WaitEntry) {
	for i, u := range q.entries {
		if u == e {
			q.entries = append(q.entries[:i], q.entries[i+1:]...)
			break
		}
	}
	e.queue = nil
}
