package kernel

import "dmasim/sim"

// TimerList is struct timer_list (kernel/time/timer.c): its function runs in a softirq some
// time after it was armed, and never twice at once. A timer that Kernel.Race does not name
// fires only when nothing else can run.
type TimerList struct {
	obj  sim.Object
	mem  *Mem
	name string
	fn   func(*Task)
	dep  lockDep

	armed    *sim.Timer
	pending  bool
	arming   int // how often it was armed, or taken back
	running  *Task
	shutdown bool
}

// Setup is timer_setup, as part of in (nil: static storage).
func (tm *TimerList) Setup(t *Task, in *Mem, name string, fn func(*Task)) {
	*tm = TimerList{mem: in, name: name, fn: fn}
	t.own(&tm.obj, in, "timer_list", name)
	t.initDep(&tm.dep, &tm.obj, "timer "+name)
}

// Ready tells whether the function is not running.
func (tm *TimerList) Ready(*sim.Task) bool { return tm.running == nil }

// Owners is the task that runs the function.
func (tm *TimerList) Owners(*sim.Task) []*sim.Task {
	if tm.running == nil {
		return nil
	}
	return []*sim.Task{tm.running.Task}
}

// Mod is mod_timer: arms the timer for a time of the clock, and tells whether it was armed.
// After a shutdown it does nothing. Any context.
func (tm *TimerList) Mod(t *Task, expires Jiffies) bool {
	tm.step(t, "mod_timer", nil)
	if tm.shutdown {
		t.Did(sim.Read)
		return false
	}
	was := tm.detach(t)
	tm.pending = true
	tm.arming++
	arming := tm.arming
	delay := max(expires-t.K.Jiffies(t), 1) // the next tick at the earliest
	n := t.fork(InSoftirq)
	tm.armed = t.timer(delay, tm.name, func(st *sim.Task) {
		n.Task = st
		n.body(func(t *Task) { tm.expire(t, arming) })(st)
	})
	return was
}

// expire runs the function; if that runs already, afterwards, unless the timer has been
// taken back or armed anew by then.
func (tm *TimerList) expire(t *Task, arming int) {
	t.Touch(&tm.obj, sim.Write)
	t.Check(tm.mem)
	t.Acquire(&tm.obj)
	if tm.running != nil {
		t.Step(sim.Op{Verb: "run timer", Obj: &tm.obj, Guard: tm})
		t.Check(tm.mem)
		t.Acquire(&tm.obj)
	}
	if tm.arming != arming {
		return
	}
	// The function may free the timer; what is known of it lasts.
	tm.pending, tm.running = false, t
	t.acquired(&tm.dep, mayWait)
	tm.fn(t)
	t.released(&tm.dep)
	tm.running = nil
	t.Touch(&tm.obj, sim.Write)
	t.Release(&tm.obj)
}

// Pending is timer_pending.
func (tm *TimerList) Pending(t *Task) bool {
	t.Step(sim.Op{Verb: "timer_pending", Obj: &tm.obj, Class: sim.Read})
	t.Check(tm.mem)
	return tm.pending
}

// Del is del_timer (timer_delete): true if the timer was armed and is not any more. The
// function may be running. Any context.
func (tm *TimerList) Del(t *Task) bool {
	tm.step(t, "del_timer", nil)
	return tm.deactivate(t, false)
}

// TryDelSync is try_to_del_timer_sync: -1 if the function is running, otherwise as Del.
func (tm *TimerList) TryDelSync(t *Task) int {
	tm.step(t, "try_to_del_timer_sync", nil)
	if tm.running != nil {
		t.Did(sim.Read)
		return -1
	}
	return boolInt(tm.deactivate(t, false))
}

// DelSync is del_timer_sync (timer_delete_sync): as Del, and the function is not running
// afterwards: it waits for that by spinning. Whoever calls it must not hold what the function
// needs, nor be the function.
func (tm *TimerList) DelSync(t *Task) bool { return tm.delSync(t, "del_timer_sync", false) }

// Shutdown is timer_shutdown: as Del, and the timer cannot be armed any more.
func (tm *TimerList) Shutdown(t *Task) bool {
	tm.step(t, "timer_shutdown", nil)
	return tm.deactivate(t, true)
}

// ShutdownSync is timer_shutdown_sync: as DelSync, and the timer cannot be armed any more,
// not even by a function that is running.
func (tm *TimerList) ShutdownSync(t *Task) bool { return tm.delSync(t, "timer_shutdown_sync", true) }

func (tm *TimerList) delSync(t *Task, call string, shutdown bool) bool {
	if t.ctx == InHardirq {
		t.Warn("%s(%s) in hardirq context", call, tm.name)
	}
	if tm.running == t {
		t.Fail(sim.Deadlock, "%s(%s) by the function of the timer, for which it waits (%s)", call, tm.name, t.Task)
	}
	t.touch(&tm.dep)
	tm.step(t, call, tm)
	return tm.deactivate(t, shutdown)
}

func (tm *TimerList) step(t *Task, verb string, g sim.Guard) {
	t.Step(sim.Op{Verb: verb, Obj: &tm.obj, Guard: g})
	t.Check(tm.mem)
	t.Locked(&tm.obj)
}

// deactivate takes an armed timer back, and for good if it is a shutdown.
func (tm *TimerList) deactivate(t *Task, shutdown bool) bool {
	was := tm.detach(t)
	if !was && (!shutdown || tm.shutdown) {
		t.Did(sim.Read)
	}
	tm.shutdown = tm.shutdown || shutdown
	return was
}

func (tm *TimerList) detach(t *Task) bool {
	if !tm.pending {
		return false
	}
	tm.armed.Cancel(t.Task)
	tm.pending, tm.armed = false, nil
	tm.arming++
	return true
}
