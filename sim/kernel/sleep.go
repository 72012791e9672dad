package kernel

import "dmasim/sim"

// Slept is what a wait found when it ended. More than one can be the case, and which of
// them decides is up to the call.
type Slept struct {
	Ready   bool // what was waited for
	Signal  bool // one that the state admits is pending
	Expired bool
	// Left is what is left of the timeout, at least 1 if it has not expired.
	Left Jiffies
}

// Sleep is an operation that waits for its guard, and no longer than for a signal that the
// state admits, or until the timeout, which is above zero: schedule_timeout.
func (t *Task) Sleep(op sim.Op, state State, timeout Jiffies) Slept {
	s := t.sleep(op, state, timeout)
	return Slept{s.ready, s.signal, s.expired, s.left}
}

// SignalPendingState is signal_pending_state(state, current). It is part of the operation
// that was granted last.
func (t *Task) SignalPendingState(state State) bool {
	t.Touch(t.wake(), sim.Read)
	return t.interrupted(state)
}

// RCUReadLockHeld is rcu_read_lock_held.
func (t *Task) RCUReadLockHeld() bool { return t.rcu > 0 }
