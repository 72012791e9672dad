package kernel

import "dmasim/sim"

// Kill is percpu_ref_kill: once. From any context, unless the ref may be switching.
func (r *PercpuRef) Kill(t *Task) { r.kill(t, "percpu_ref_kill", nil) }

// KillAndConfirm is percpu_ref_kill_and_confirm: confirm is called when TrygetLive is sure
// to fail from now on. That is at the end of the grace period, or, in atomic mode, before
// the call returns. It may not sleep.
func (r *PercpuRef) KillAndConfirm(t *Task, confirm func(*Task)) {
	r.kill(t, "percpu_ref_kill_and_confirm", confirm)
}

func (r *PercpuRef) kill(t *Task, call string, confirm func(*Task)) {
	r.change(t, call, func(l *refSwitchLock) {
		if r.dead {
			r.misuse(t, "%s called more than once on %s", call, r.name)
		}
		r.dead = true
		r.switchMode(t, l, call, confirm)
		r.drop(t, 1) // the initial reference
	})
}

// Reinit is percpu_ref_reinit: the ref is at zero, and becomes as it was after init. It
// waits for a switch that goes on.
func (r *PercpuRef) Reinit(t *Task) {
	if !r.IsZero(t) {
		r.misuse(t, "percpu_ref_reinit of %s, which is not zero", r.name)
	}
	r.resurrect(t, "percpu_ref_reinit")
}

// Resurrect is percpu_ref_resurrect: takes a kill back. References that others have
// stay. It waits for a switch that goes on.
func (r *PercpuRef) Resurrect(t *Task) { r.resurrect(t, "percpu_ref_resurrect") }

func (r *PercpuRef) resurrect(t *Task, call string) {
	r.change(t, call, func(l *refSwitchLock) {
		if !r.dead {
			r.misuse(t, "%s of %s, which is not dying", call, r.name)
		}
		if r.percpu() {
			r.misuse(t, "%s of %s, which is in per-CPU mode", call, r.name)
		}
		r.dead = false
		r.add(t, 1) // the initial reference
		r.switchMode(t, l, call, nil)
	})
}

// SwitchToAtomic is percpu_ref_switch_to_atomic: the ref stays in atomic mode until
// SwitchToPercpu. confirm, unless it is nil, is called when all count there. A ref without
// RefAllowReinit looks dead afterwards. It waits for a switch that goes on.
func (r *PercpuRef) SwitchToAtomic(t *Task, confirm func(*Task)) {
	r.switchTo(t, "percpu_ref_switch_to_atomic", true, confirm)
}

// SwitchToAtomicSync is percpu_ref_switch_to_atomic_sync: waits for the end of the switch.
func (r *PercpuRef) SwitchToAtomicSync(t *Task) {
	const call = "percpu_ref_switch_to_atomic_sync"
	r.switchTo(t, call, true, nil)
	t.MightSleep(call, r.name)
	r.awaitSwitch(t, call, nil)
}

// SwitchToPercpu is percpu_ref_switch_to_percpu: now, or if the ref is dying, when it is
// reinitialised. It waits for a switch that goes on.
func (r *PercpuRef) SwitchToPercpu(t *Task) {
	r.switchTo(t, "percpu_ref_switch_to_percpu", false, nil)
}

func (r *PercpuRef) switchTo(t *Task, call string, atomic bool, confirm func(*Task)) {
	r.change(t, call, func(l *refSwitchLock) {
		r.data.forceAtomic = atomic
		r.switchMode(t, l, call, confirm)
	})
}

// change is an operation on r under the lock.
func (r *PercpuRef) change(t *Task, call string, do func(l *refSwitchLock)) {
	t.Step(sim.Op{Verb: call, Obj: &r.obj})
	r.check(t, call)
	l := &t.K.refSwitch
	l.lock(t, r, call)
	r.check(t, call)
	t.Acquire(&r.obj)
	do(l)
	t.Release(&r.obj)
	l.unlock(t)
}

// switchMode is __percpu_ref_switch_mode: goes to the mode that the ref should be in.
func (r *PercpuRef) switchMode(t *Task, l *refSwitchLock, call string, confirm func(*Task)) {
	if r.data.switching {
		l.unlock(t)
		t.MightSleep(call, r.name)
		r.awaitSwitch(t, call, l)
		l.take(t)
	}
	d := r.data
	switch {
	case !d.forceAtomic && !r.dead:
		r.switchToPercpu(t, call)
	case !r.atomic:
		r.atomic, d.switching, d.confirm = true, true, confirm
		d.pinned = true
		d.count++
		t.callRCU("rcu "+r.name, false, func(t *Task) { r.switched(t, d) })
	case confirm != nil:
		l.keep(t)
		confirm(t)
		t.Touch(&r.obj, sim.Write)
		r.check(t, call)
	}
}

// awaitSwitch waits for the end of a switch, and for the lock to be free, if that is given.
func (r *PercpuRef) awaitSwitch(t *Task, call string, l *refSwitchLock) {
	r.check(t, call)
	d := r.data
	op := sim.Op{Verb: "wait_event", Obj: &r.obj, Guard: switchOver{d, l}}
	if l != nil {
		op.Also = &l.obj
	}
	d.waiting++
	t.Step(op)
	r.check(t, call)
	t.Acquire(&r.obj)
	d.waiting--
}

// switchOver is ready when no switch goes on.
type switchOver struct {
	d *refData
	l *refSwitchLock
}

func (s switchOver) Ready(*sim.Task) bool {
	return !s.d.switching && (s.l == nil || s.l.owner == nil)
}

func (s switchOver) Explain(*sim.Task) string { return "the switch to atomic mode is not over" }

// switched is the callback at the end of the grace period.
func (r *PercpuRef) switched(t *Task, d *refData) {
	const call = "the switch to atomic mode"
	check := func() {
		r.check(t, call)
		if r.data != d {
			t.Fail(UseAfterFree, "%s of %s, which has exited since (%s)", call, r.name, t.Task)
		}
	}
	t.Touch(&r.obj, sim.Write)
	check()
	d.count += r.counters.sum() - refBias
	d.biased = false
	if d.count <= 0 {
		r.misuse(t, "percpu ref %s <= 0 (%d) after switching to atomic mode", r.name, d.count)
	}
	confirm := d.confirm
	if confirm != nil {
		confirm(t)
		t.Touch(&r.obj, sim.Write)
		check()
	}
	d.switching, d.confirm = false, nil
	t.Release(&r.obj)
	if confirm != nil || d.waiting > 0 {
		// Somebody knows that it is over, before it is.
		t.Step(sim.Op{Verb: "percpu_ref_put", Obj: &r.obj})
		check()
	}
	if !d.allowReinit {
		r.freeCounters()
	}
	d.pinned = false
	r.sub(t, 1)
}

// switchToPercpu is __percpu_ref_switch_to_percpu.
func (r *PercpuRef) switchToPercpu(t *Task, call string) {
	switch {
	case !r.allocated:
		t.BUG("kernel BUG: %s of %s, whose per-CPU counters are gone", call, r.name)
	case !r.atomic:
		return
	case !r.data.allowReinit:
		r.misuse(t, "%s of %s, which may not go back to per-CPU mode", call, r.name)
		return
	}
	r.data.count += refBias
	r.data.biased = true
	r.counters = percpuCounter{}
	r.atomic = false
}
