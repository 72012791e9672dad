package kernel

import "dmasim/sim"

// WaitEvent is wait_event: sleeps until cond holds. Whoever makes it true calls WakeUp
// afterwards.
func (q *WaitQueue) WaitEvent(t *Task, cond func(*Task) bool) {
	q.wait(t, "wait_event", cond, Uninterruptible, false, MaxScheduleTimeout)
}

// WaitEventTimeout is wait_event_timeout: 0 if the time is over and cond does not hold,
// otherwise what is left, at least 1.
func (q *WaitQueue) WaitEventTimeout(t *Task, cond func(*Task) bool, timeout Jiffies) Jiffies {
	left, _ := q.wait(t, "wait_event_timeout", cond, Uninterruptible, false, timeout)
	return left
}

// WaitEventInterruptible is wait_event_interruptible: -ERESTARTSYS after a signal.
func (q *WaitQueue) WaitEventInterruptible(t *Task, cond func(*Task) bool) Errno {
	_, err := q.wait(t, "wait_event_interruptible", cond, Interruptible, false, MaxScheduleTimeout)
	return err
}

// WaitEventKillable is wait_event_killable: -ERESTARTSYS after a fatal signal.
func (q *WaitQueue) WaitEventKillable(t *Task, cond func(*Task) bool) Errno {
	_, err := q.wait(t, "wait_event_killable", cond, Killable, false, MaxScheduleTimeout)
	return err
}

// WaitEventInterruptibleTimeout is wait_event_interruptible_timeout.
func (q *WaitQueue) WaitEventInterruptibleTimeout(t *Task, cond func(*Task) bool, timeout Jiffies) (Jiffies, Errno) {
	return q.wait(t, "wait_event_interruptible_timeout", cond, Interruptible, false, timeout)
}

// WaitEventInterruptibleExclusive is wait_event_interruptible_exclusive: of the waiters of
// its kind one wake-up wakes one.
func (q *WaitQueue) WaitEventInterruptibleExclusive(t *Task, cond func(*Task) bool) Errno {
	_, err := q.wait(t, "wait_event_interruptible_exclusive", cond, Interruptible, true, MaxScheduleTimeout)
	return err
}

// WaitEventKillableExclusive is wait_event_killable_exclusive.
func (q *WaitQueue) WaitEventKillableExclusive(t *Task, cond func(*Task) bool) Errno {
	_, err := q.wait(t, "wait_event_killable_exclusive", cond, Killable, true, MaxScheduleTimeout)
	return err
}

// wait is ___wait_event. The condition decides before the timeout does, and the timeout
// before a signal.
func (q *WaitQueue) wait(t *Task, call string, cond func(*Task) bool, s State, exclusive bool, timeout Jiffies) (Jiffies, Errno) {
	t.MightSleep(call, q.obj.Name)
	over := func() bool {
		holds := cond(t)
		if holds {
			timeout = max(timeout, 1)
		}
		return holds || timeout == 0
	}
	if over() {
		return timeout, OK
	}
	e := &WaitEntry{Exclusive: exclusive}
	q.lock(t, "prepare_to_wait_event")
	for {
		err := q.prepare(t, e, s)
		if over() {
			break
		}
		if err != OK {
			return 0, err
		}
		timeout = t.sleep(sim.Op{Verb: call, Obj: &q.obj, Also: t.wake(), Guard: (*awake)(t)}, s, timeout).left
		t.sleeps(false, s)
		if q.walker != nil {
			q.lock(t, "prepare_to_wait_event")
		}
		t.Check(q.mem)
		t.Locked(&q.obj)
	}
	q.FinishWait(t, e)
	return timeout, OK
}

// prepare is prepare_to_wait_event: an exclusive waiter that is about to leave because of a
// signal must not be found by a later wake-up, which is for somebody else.
func (q *WaitQueue) prepare(t *Task, e *WaitEntry, s State) Errno {
	if t.signalled(s) {
		if e.queue != nil {
			q.remove(e)
		}
		return ERESTARTSYS
	}
	q.insert(t, e)
	t.sleeps(true, s)
	return OK
}
