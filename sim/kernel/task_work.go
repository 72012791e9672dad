package kernel

import "dmasim/sim"

// TaskWorkAdd is task_work_add: fn will run in the target's context, when the target
// next waits (WaitTaskWork) or exits. It returns false (-ESRCH) if the target is exiting. Any
// context may call it.
func (t *Task) TaskWorkAdd(target *Task, fn func(*Task)) bool {
	t.Step(sim.Op{Verb: "task_work_add", Obj: &target.twork})
	if target.exiting {
		return false
	}
	target.works = append(target.works, fn)
	return true
}

// WaitTaskWork sleeps until task work is there, and runs it: what a task does that
// waits in the kernel interruptibly. It takes what is there in one step, as the kernel
// does; of that, what was added last runs first. What is added meanwhile waits for the
// next time.
func (t *Task) WaitTaskWork() {
	t.MightSleep("wait", "")
	t.Step(sim.Op{Verb: "task_work_run", Obj: &t.twork, Guard: (*hasWork)(t)})
	t.runTaskWork()
}

func (t *Task) runTaskWork() {
	batch := t.works
	t.works = nil
	for i := len(batch) - 1; i >= 0; i-- {
		batch[i](t)
	}
}

type hasWork Task

func (h *hasWork) Ready(*sim.Task) bool { return len(h.works) > 0 }
