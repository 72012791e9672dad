package sim

// Timer is something that happens after a time of the virtual clock. It fires
// only when nothing else can run, earliest deadline first, unless it races.
type Timer struct {
	t   *Task
	obj Object // firing and cancelling are in conflict
}

// TimerMode says how a timer takes part in the run.
type TimerMode uint8

const (
	// Quiet timers fire when no other task can run.
	Quiet TimerMode = iota
	// Racing timers may fire at any point from their creation on.
	Racing
	// Recovery timers exist to get out of a state that should not be: if one is
	// all that could make the run go on, that is a Stall.
	Recovery
)

// After creates a timer that runs fn as a task of its own, delay nanoseconds from
// now.
func (t *Task) After(delay int64, mode TimerMode, name string, fn func(*Task)) *Timer {
	tm := &Timer{}
	t.Own(&tm.obj, "timer", name)
	n := t.Spawn(name, Op{Verb: "timer", Obj: &tm.obj}, fn)
	n.timer, n.racing, n.recovery = true, mode == Racing, mode == Recovery
	n.deadline = t.m.now + delay
	tm.t = n
	return tm
}

// Cancel stops the timer if it has not fired, and tells whether it did so. It is part of
// the operation that by was granted last.
func (tm *Timer) Cancel(by *Task) bool {
	t := tm.t
	by.Touch(&tm.obj, Write)
	if t.done || !t.timer || t.m.dead { // what has fired cannot be taken back
		return false
	}
	t.announced, t.done = false, true
	t.m.use(&tm.obj, t) // firing, which did not come to be, would have touched it
	t.m.retire(t)
	return true
}
