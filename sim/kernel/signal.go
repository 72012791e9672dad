package kernel

import "dmasim/sim"

// signals is what is pending for a task.
type signals struct {
	any, fatal bool
	// notify is TIF_NOTIFY_SIGNAL: task work wants to be run. It ends the same waits as a
	// signal.
	notify bool
}

// SendSignal is send_sig: an interruptible wait of the target ends, a killable one too if
// the signal is fatal, as SIGKILL is. Any context.
func (t *Task) SendSignal(target *Task, fatal bool) {
	t.Step(sim.Op{Verb: "send_sig", Obj: by(t, target)})
	t.Locked(&target.woken)
	target.pending.any = true
	target.pending.fatal = target.pending.fatal || fatal
	target.wokenBySignal()
}

// SetNotifySignal is set_notify_signal: it ends interruptible waits of the target as a signal does, and is
// none. Any context.
func (t *Task) SetNotifySignal(target *Task) {
	t.Step(sim.Op{Verb: "set_notify_signal", Obj: by(t, target)})
	t.Locked(&target.woken)
	target.pending.notify = true
	target.wokenBySignal()
}

// StopPending tells whether what is pending is only a signal that does not kill: task_sigpending(current),
// but neither fatal_signal_pending nor TIF_NOTIFY_SIGNAL. It is part of the operation that was granted last.
func (t *Task) StopPending() bool {
	t.Touch(t.wake(), sim.Read)
	return t.pending == signals{any: true}
}

// wokenBySignal is signal_wake_up: a task that sleeps in a state which admits the signal
// runs, and is nobody's to be woken any more.
func (t *Task) wokenBySignal() {
	if t.interrupted(t.state) {
		t.asleep = false
	}
}

// by is the wake object of another task than the one that runs.
func by(t, target *Task) *sim.Object {
	if target.woken.Key() == 0 {
		t.OwnOf(&target.woken, target.Task, 1, "task", target.Name)
	}
	return &target.woken
}

// SignalPending is signal_pending(current).
func (t *Task) SignalPending() bool { return t.pendingFor("signal_pending", Interruptible) }

// FatalSignalPending is fatal_signal_pending(current).
func (t *Task) FatalSignalPending() bool { return t.pendingFor("fatal_signal_pending", Killable) }

func (t *Task) pendingFor(verb string, s State) bool {
	t.Step(sim.Op{Verb: verb, Obj: t.wake(), Class: sim.Read})
	return t.interrupted(s)
}

// DeliverSignals is get_signal, as a return to user mode calls it: afterwards no signal is
// pending. It tells whether one was fatal: then the task does not return to user mode, and
// has to end. Task work keeps its notification; see ReturnToUser.
func (t *Task) DeliverSignals() (fatal bool) {
	t.Step(sim.Op{Verb: "get_signal", Obj: t.wake()})
	t.Locked(&t.woken)
	return t.deliver()
}

func (t *Task) deliver() (fatal bool) {
	fatal = t.pending.fatal
	t.pending.any, t.pending.fatal = false, false
	return fatal
}

// interrupted is signal_pending_state.
func (t *Task) interrupted(s State) bool {
	switch s {
	case Interruptible:
		return t.pending.any || t.pending.notify
	case Killable:
		return t.pending.fatal
	}
	return false
}

// signalled is interrupted as part of the operation before it.
func (t *Task) signalled(s State) bool {
	if s == Uninterruptible {
		return false
	}
	t.Touch(t.wake(), sim.Read)
	return t.interrupted(s)
}
