package kernel

import "dmasim/sim"

// DelayedWork is struct delayed_work: a timer queues it. Its timer has the name of the work,
// see Kernel.Race. Work.Cancel and the like do not know the timer; those of DelayedWork do.
type DelayedWork struct{ Work }

// QueueDelayed is queue_delayed_work: false if the work was pending already, on its timer or
// on a queue, or is disabled. A delay of zero queues it at once.
func (wq *Workqueue) QueueDelayed(t *Task, dw *DelayedWork, delay Jiffies) bool {
	if !dw.claim(t, "queue_delayed_work") {
		return false
	}
	wq.after(t, &dw.Work, delay)
	return true
}

// ModDelayed is mod_delayed_work: whatever state the work is in, afterwards it is pending
// with this delay, unless it is disabled. True if it was pending.
func (wq *Workqueue) ModDelayed(t *Task, dw *DelayedWork, delay Jiffies) bool {
	was := dw.grab(t, "mod_delayed_work", true)
	if dw.st.disabled == 0 {
		dw.st.pending = true
		wq.after(t, &dw.Work, delay)
	}
	return was
}

// after is __queue_delayed_work, of a work whose PENDING bit the caller has set.
func (wq *Workqueue) after(t *Task, w *Work, delay Jiffies) {
	if delay == 0 {
		wq.insert(t, t.cpu, w)
		return
	}
	st, cpu := w.st, t.cpu
	st.timerWq = wq
	st.timer = t.timer(delay, w.name, func(s *sim.Task) {
		n := t.fork(InSoftirq)
		n.Task = s
		n.Touch(&st.obj, sim.Write)
		n.Check(w.mem)
		st.timer = nil
		wq.insert(n, cpu, w)
	})
}

// Cancel is cancel_delayed_work: true if the work was pending. The function may be running.
func (dw *DelayedWork) Cancel(t *Task) bool { return dw.grab(t, "cancel_delayed_work", true) }

// CancelSync is cancel_delayed_work_sync.
func (dw *DelayedWork) CancelSync(t *Task) bool {
	return dw.cancelSync(t, "cancel_delayed_work_sync", true)
}

// Disable is disable_delayed_work.
func (dw *DelayedWork) Disable(t *Task) bool { return dw.disable(t, "disable_delayed_work", true) }

// DisableSync is disable_delayed_work_sync.
func (dw *DelayedWork) DisableSync(t *Task) bool {
	return dw.disableSync(t, "disable_delayed_work_sync", true)
}

// Enable is enable_delayed_work.
func (dw *DelayedWork) Enable(t *Task) bool { return dw.enable(t, "enable_delayed_work") }

// Flush is flush_delayed_work: a work that is on its timer is queued at once, and waited
// for.
func (dw *DelayedWork) Flush(t *Task) bool {
	t.MightSleep("flush_delayed_work", dw.name)
	st := dw.st
	t.Step(sim.Op{Verb: "flush_delayed_work", Obj: &st.obj})
	t.Check(dw.mem)
	t.Locked(&st.obj)
	if st.timer != nil {
		st.timer.Cancel(t.Task)
		st.timer = nil
		st.timerWq.insert(t, t.cpu, &dw.Work)
	}
	return dw.flush(t, "flush_delayed_work")
}

// RCUWork is struct rcu_work: it is queued after a grace period, and cannot be cancelled.
type RCUWork struct{ Work }

// QueueRCU is queue_rcu_work: false if the work was pending already, and then the run need
// not come after a grace period that begins now.
func (wq *Workqueue) QueueRCU(t *Task, rw *RCUWork) bool {
	if !rw.claim(t, "queue_rcu_work") {
		if rw.st.disabled > 0 {
			t.Warn("queue_rcu_work(%s): an rcu_work cannot be disabled", rw.name)
		}
		return false
	}
	t.CallRCUHurry(rw.name, func(t *Task) {
		t.Touch(&rw.st.obj, sim.Write)
		t.Check(rw.mem)
		wq.insert(t, t.cpu, &rw.Work)
	})
	return true
}

// Flush is flush_rcu_work.
func (rw *RCUWork) Flush(t *Task) bool {
	t.MightSleep("flush_rcu_work", rw.name)
	t.Step(sim.Op{Verb: "flush_rcu_work", Obj: &rw.st.obj, Class: sim.Read})
	t.Check(rw.mem)
	if rw.st.pending {
		t.RCUBarrier()
		rw.flush(t, "flush_rcu_work")
		return true
	}
	return rw.flush(t, "flush_rcu_work")
}
