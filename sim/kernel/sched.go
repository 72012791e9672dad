package kernel

import "dmasim/sim"

// A task that is about to sleep first says in which state, then looks once more whether it
// has to, and then calls schedule, which returns at once if somebody has woken it since
// (kernel/sched/core.c). The state belongs to the object of the task; see Task.wake.

// SetCurrentState is set_current_state, with its full barrier.
func (t *Task) SetCurrentState(s State) {
	t.Step(sim.Op{Verb: "set_current_state", Obj: t.wake()})
	t.asleep, t.drowsy, t.state = true, true, s
	t.SmpMb()
}

// SetRunning is __set_current_state(TASK_RUNNING). It is part of the operation before it.
func (t *Task) SetRunning() { t.sleeps(false, t.state) }

// sleeps sets the state of t, as part of the operation before it.
func (t *Task) sleeps(asleep bool, s State) {
	t.drowsy = asleep
	if asleep {
		t.SmpMb()
	}
	if t.asleep != asleep || t.state != s {
		t.Touch(t.wake(), sim.Write)
		t.asleep, t.state = asleep, s
	}
}

// Schedule is schedule: returns when t has been woken, or by a signal that its state
// admits, or at once if it is running.
func (t *Task) Schedule() { t.ScheduleTimeout(MaxScheduleTimeout) }

// ScheduleTimeout is schedule_timeout: it returns what is left, 0 if the time is over.
func (t *Task) ScheduleTimeout(timeout Jiffies) Jiffies {
	if t.ctx >= InSoftirq || t.preempt > 0 || t.bh > 0 {
		t.violation("scheduling while atomic: %s", t.where())
	}
	verb := "schedule"
	if timeout != MaxScheduleTimeout {
		verb = "schedule_timeout"
	}
	r := t.sleep(sim.Op{Verb: verb, Obj: t.wake(), Guard: (*awake)(t)}, t.state, timeout)
	t.asleep, t.drowsy = false, false
	t.Acquire(&t.woken)
	return r.left
}

// ScheduleTimeoutUninterruptible is schedule_timeout_uninterruptible: nothing but time, or
// WakeUpProcess, ends it.
func (t *Task) ScheduleTimeoutUninterruptible(timeout Jiffies) Jiffies {
	t.sleeps(true, Uninterruptible)
	return t.ScheduleTimeout(timeout)
}

// Msleep is msleep: sleeps for at least so many jiffies, however often it is woken.
func (t *Task) Msleep(timeout Jiffies) {
	t.MightSleep("msleep", "")
	for timeout > 0 {
		timeout = t.ScheduleTimeoutUninterruptible(timeout)
	}
}

// WakeUpProcess is wake_up_process: false if the target is running. Any context.
func (t *Task) WakeUpProcess(target *Task) bool {
	t.Step(sim.Op{Verb: "wake_up_process", Obj: by(t, target)})
	if !target.asleep {
		t.Did(sim.Read)
		return false
	}
	target.asleep = false
	t.Release(&target.woken)
	return true
}

// notRunning warns of a call that may sleep between the announcement of a sleep and the
// sleep: it would return in TASK_RUNNING, and whoever wakes the task meanwhile is not noticed.
func (t *Task) notRunning(call string) {
	t.Touch(t.wake(), sim.Read)
	if !t.asleep {
		return
	}
	t.Warn("do not call blocking ops when !TASK_RUNNING: %s by %s", call, t.Task)
}

// tryToWakeUp is try_to_wake_up, of a task in any state or of one that sleeps interruptibly
// only; it is part of the operation before it.
func (t *Task) tryToWakeUp(target *Task, interruptible bool) bool {
	o := by(t, target)
	if !target.asleep || interruptible && target.state != Interruptible {
		t.Touch(o, sim.Read)
		return false
	}
	t.Touch(o, sim.Write)
	t.Release(o)
	target.asleep = false
	return true
}

// awake is ready when the task is in TASK_RUNNING.
type awake Task

func (a *awake) Ready(*sim.Task) bool { return !a.asleep }
