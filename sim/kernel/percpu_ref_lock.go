package kernel

import "dmasim/sim"

// refSwitchLock is percpu_ref_switch_lock, which is held, with interrupts off, through each
// change of any ref's mode.
//
// Mostly it is taken and given up within one operation, where nobody can meet it. Only a
// function that is called with it held may have operations of its own.
type refSwitchLock struct {
	obj   sim.Object
	dep   lockDep
	owner *Task
	flags IrqFlags
	kept  bool // for longer than an operation
}

// switchQuickly is the class of taking the lock and giving it up in one operation.
const switchQuickly = sim.Commute

func (l *refSwitchLock) init(t *Task) {
	t.OwnPart(&l.obj, &t.K.rcu.Object, 1, "spinlock", "percpu_ref_switch_lock")
	t.initDep(&l.dep, &l.obj, "percpu_ref_switch_lock")
}

// Ready tells whether the lock is free.
func (l *refSwitchLock) Ready(*sim.Task) bool { return l.owner == nil }

// Owners is the holder, for deadlock reports.
func (l *refSwitchLock) Owners(*sim.Task) []*sim.Task {
	if l.owner == nil {
		return nil
	}
	return []*sim.Task{l.owner.Task}
}

// lock takes the lock as part of the operation before, for a call on r; if it is not free,
// it waits, and then r may have changed.
func (l *refSwitchLock) lock(t *Task, r *PercpuRef, call string) {
	if l.owner == t {
		t.FailWith(sim.Deadlock, t.circumstances(), "%s in %s(%s) takes percpu_ref_switch_lock, which it holds already", t.Task, call, r.name)
	}
	t.order(&l.dep, mayWait)
	t.Touch(&l.obj, switchQuickly)
	if l.owner != nil {
		t.Step(sim.Op{Verb: "spin_lock", Obj: &l.obj, Class: switchQuickly, Guard: l})
		t.Touch(&r.obj, sim.Write)
		t.Check(r.mem)
	}
	l.take(t)
}

func (l *refSwitchLock) take(t *Task) {
	l.owner, l.flags = t, t.LocalIrqSave()
	t.PreemptDisable()
}

// keep is called before a function that may have operations, by those who may hold the
// lock.
func (l *refSwitchLock) keep(t *Task) {
	if l.owner == t && !l.kept {
		l.kept = true
		t.Acquire(&l.obj)
		t.Touch(&l.obj, sim.Write)
		t.holds(&l.dep)
	}
}

func (l *refSwitchLock) unlock(t *Task) {
	if l.kept {
		l.kept = false
		t.Release(&l.obj)
		t.Touch(&l.obj, sim.Write)
		t.released(&l.dep)
	}
	l.owner = nil
	t.LocalIrqRestore(l.flags)
	t.PreemptEnable()
}
