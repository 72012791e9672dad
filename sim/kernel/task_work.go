package kernel

import "dmasim/sim"

// TaskWork is struct callback_head as task work uses it (kernel/task_work.c). One that is
// queued must not be added again.
type TaskWork struct {
	// Func runs in the task that the work was added to, and may sleep.
	Func   func(*Task)
	queued bool
}

// TaskWorkMode is enum task_work_notify_mode: how the target learns of the work.
type TaskWorkMode uint8

const (
	// TWA_NONE: not at all. The work runs when other work or the exit makes it.
	TWA_NONE TaskWorkMode = iota
	// TWA_RESUME: when it returns to user mode.
	TWA_RESUME
	// TWA_SIGNAL: as from a signal: its interruptible waits end.
	TWA_SIGNAL
	// TWA_SIGNAL_NO_IPI: as TWA_SIGNAL, but a task that is in user mode is left there. That
	// is a matter of time only, and the same here.
	TWA_SIGNAL_NO_IPI
)

// TaskWorkAdd is task_work_add: the work will run in the target's context, when the target
// returns to user mode or exits, or in a wait for it. -ESRCH if the target has begun its
// last run. Any context.
func (t *Task) TaskWorkAdd(target *Task, w *TaskWork, mode TaskWorkMode) Errno {
	t.Step(sim.Op{Verb: "task_work_add", Obj: &target.twork})
	return t.addTaskWork(target, w, mode)
}

// addTaskWork is TaskWorkAdd as part of the operation before it, on whose object it is.
func (t *Task) addTaskWork(target *Task, w *TaskWork, mode TaskWorkMode) Errno {
	if target.exiting {
		return ESRCH
	}
	if w.queued {
		t.Fail(sim.Misuse, "task_work_add by %s of work that is queued already", t.Task)
	}
	w.queued = true
	t.Release(&target.twork)
	target.works = append(target.works, w)
	switch mode {
	case TWA_RESUME:
		target.resume = true
	case TWA_SIGNAL, TWA_SIGNAL_NO_IPI:
		t.Touch(by(t, target), sim.Write)
		target.pending.notify = true
		target.wokenBySignal()
	}
	return OK
}

// TaskWorkCancel is task_work_cancel: true if the work was queued, and is not any more.
func (t *Task) TaskWorkCancel(target *Task, w *TaskWork) bool {
	t.Step(sim.Op{Verb: "task_work_cancel", Obj: &target.twork})
	for i, u := range target.works {
		if u == w {
			t.Acquire(&target.twork)
			target.works = append(target.works[:i], target.works[i+1:]...)
			w.queued = false
			return true
		}
	}
	t.Did(sim.Read)
	return false
}

// WaitTaskWork sleeps interruptibly until task work that notifies as a signal does is there,
// and runs it: what io_uring does while it waits for completions. It takes what is there in
// one step, as the kernel does; of that, what was added last runs first. What is added
// meanwhile waits for the next time.
func (t *Task) WaitTaskWork() {
	t.MightSleep("wait", "")
	t.Step(sim.Op{Verb: "task_work_run", Obj: &t.twork, Also: t.wake(), Guard: (*notified)(t)})
	t.clearNotify()
	t.runTaskWork()
}

// RunTaskWork is task_work_run for work that has notified as a signal does: what a loop calls
// that has slept interruptibly. It is part of the operation that was granted last.
func (t *Task) RunTaskWork() {
	t.Touch(t.wake(), sim.Read)
	if !t.pending.notify {
		return
	}
	t.Touch(&t.twork, sim.Write)
	t.clearNotify()
	t.runTaskWork()
}

// TaskSigpending is task_sigpending(current): a signal is pending, work that notifies as one
// aside. It is part of the operation that was granted last.
func (t *Task) TaskSigpending() bool {
	t.Touch(t.wake(), sim.Read)
	return t.pending.any
}

// ReturnToUser is the way back to user mode at the end of a system call: task work runs that
// asks for it, until there is none, and signals are delivered. It tells whether one was
// fatal: then the task has to end.
func (t *Task) ReturnToUser() (fatal bool) {
	t.MightSleep("exit_to_user_mode", "")
	for first := true; ; first = false {
		t.Step(sim.Op{Verb: "exit_to_user_mode", Obj: &t.twork})
		t.Touch(t.wake(), sim.Read)
		p := t.pending
		if !t.resume && p == (signals{}) && (first || len(t.works) == 0) {
			t.Did(sim.Read)
			return fatal
		}
		t.clearNotify()
		if p.any { // nobody else looks at what is pending, and who sends is in conflict with the read
			fatal = t.deliver() || fatal
		}
		t.resume = false
		t.runTaskWork()
	}
}

func (t *Task) clearNotify() {
	if t.pending.notify {
		t.Touch(t.wake(), sim.Write)
		t.pending.notify = false
	}
}

// runTaskWork runs what there is, as part of an operation on the list.
func (t *Task) runTaskWork() {
	t.Acquire(&t.twork)
	batch := t.works
	t.works = nil
	if len(batch) > 0 {
		t.note(Note{Kind: NoteTaskWork, Name: t.Name})
	}
	for i := len(batch) - 1; i >= 0; i-- {
		batch[i].queued = false
		batch[i].Func(t)
	}
}

// notified is ready when task work has notified the task as a signal does.
type notified Task

func (n *notified) Ready(*sim.Task) bool { return n.pending.notify }
