package kernel

import "dmasim/sim"

// TaskWorkAdd is task_work_add: fn will run in the target's context, when the target
// next calls RunTaskWork. It returns false (-ESRCH) if the target is exiting. Any
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
// waits in the kernel interruptibly. Work that was added last runs first.
func (t *Task) WaitTaskWork() {
	t.MightSleep("wait", "")
	t.Step(sim.Op{Verb: "task_work_run", Obj: &t.twork, Guard: (*hasWork)(t)})
	t.runTaskWork()
}

func (t *Task) runTaskWork() {
	for len(t.works) > 0 {
		n := len(t.works) - 1
		fn := t.works[n]
		t.works = t.works[:n]
		fn(t)
	}
}

type hasWork Task

func (h *hasWork) Ready(*sim.Task) bool { return len(h.works) > 0 }
