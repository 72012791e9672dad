package kernel

import "dmasim/sim"

// grabbable is ready unless the work is pending where it cannot be taken from: the kernel
// spins then.
type grabbable struct {
	st    *workState
	timer bool // it may be taken from its timer
}

func (g grabbable) Ready(*sim.Task) bool {
	return !g.st.pending || g.st.queued != nil || g.timer && g.st.timer != nil
}

func (g grabbable) Explain(*sim.Task) string {
	if g.st.timer != nil {
		return "the work is on its timer"
	}
	return "the work is pending, and on no queue"
}

// grab is an operation that takes PENDING and gives it up. It tells whether the work was
// pending.
func (w *Work) grab(t *Task, verb string, timer bool) bool {
	st := w.st
	if st == nil {
		t.Fail(sim.Misuse, "%s of a work that was not initialised (%s)", verb, t.Task)
	}
	t.Step(sim.Op{Verb: verb, Obj: &st.obj, Guard: grabbable{st, timer}})
	t.Check(w.mem)
	t.FullyOrdered(&st.obj)
	was := st.pending
	st.pending = false
	if it := st.queued; it != nil {
		st.queued, it.done = nil, true
		it.worker.Withdraw(t.Task)
		it.wq.remove(t, it)
	}
	if st.timer != nil {
		st.timer.Cancel(t.Task)
		st.timer = nil
	}
	return was
}

// Cancel is cancel_work: true if the work was pending. It does not wait. Any context.
func (w *Work) Cancel(t *Task) bool { return w.grab(t, "cancel_work", false) }

// CancelSync is cancel_work_sync: it waits for the function, too. Meanwhile the work is
// disabled, so that it cannot be queued, not by itself either. True if it was pending.
func (w *Work) CancelSync(t *Task) bool { return w.cancelSync(t, "cancel_work_sync", false) }

func (w *Work) cancelSync(t *Task, verb string, timer bool) bool {
	was := w.disable(t, verb, timer)
	w.idle(t, verb, true)
	return was
}

// Disable is disable_work: Cancel, and until as many Enables the work cannot be queued.
func (w *Work) Disable(t *Task) bool { return w.disable(t, "disable_work", false) }

func (w *Work) disable(t *Task, verb string, timer bool) bool {
	was := w.grab(t, verb, timer)
	w.st.disabled++
	return was
}

// DisableSync is disable_work_sync: it waits for the function, too.
func (w *Work) DisableSync(t *Task) bool { return w.disableSync(t, "disable_work_sync", false) }

func (w *Work) disableSync(t *Task, verb string, timer bool) bool {
	was := w.disable(t, verb, timer)
	w.idle(t, verb, false)
	return was
}

// Enable is enable_work: true if the work can be queued now.
func (w *Work) Enable(t *Task) bool { return w.enable(t, "enable_work") }

func (w *Work) enable(t *Task, verb string) bool {
	w.grab(t, verb, false)
	st := w.st
	if st.disabled == 0 {
		t.Warn("workqueue: work disable count underflowed: %s (%s)", w.name, t.Task)
		return true
	}
	st.disabled--
	return st.disabled == 0
}

// idle waits for the function of a work that is disabled. If asked it is enabled again in the
// same step: that could as well have been later.
func (w *Work) idle(t *Task, verb string, enable bool) {
	st := w.st
	it := st.executing()
	if bh := st.last != nil && st.last.wq.flags&WQ_BH != 0; !bh {
		t.MightSleep(verb, w.name)
	} else if t.ctx == InHardirq {
		t.Warn("%s(%s) in hardirq context", verb, w.name)
	}
	op := sim.Op{Verb: verb, Obj: &st.obj, Class: sim.Read}
	if it != nil {
		t.waits(st.completion(t))
		op.Guard = finished{it}
	} else if !enable {
		return
	}
	if enable {
		op.Class = sim.Write
	}
	t.Step(op)
	t.Check(w.mem)
	t.Acquire(&st.obj)
	if enable {
		st.disabled--
	}
}
