package kernel

import "dmasim/sim"

// Spinlock is spinlock_t (kernel/locking/spinlock.c) of a kernel without PREEMPT_RT: who
// holds it must not sleep.
//
// Every task of the model has a CPU of its own, an interrupt too. So an interrupt that
// spins on the lock of the very task that it interrupted does not happen here; lockdep
// finds it from the contexts in which the lock is taken.
//
// Unlocking is the last access to the lock: unlike a mutex it may be freed by whoever
// takes it next.
type Spinlock struct {
	obj   sim.Object
	mem   *Mem
	owner *Task
	dep   lockDep
	as    *LockClass // that it was taken as one of
}

// Init is spin_lock_init, as part of in (nil: static storage).
func (l *Spinlock) Init(t *Task, in *Mem, name string) {
	t.own(&l.obj, in, "spinlock", name)
	l.mem, l.owner = in, nil
	in.lock(l)
	t.initDep(&l.dep, &l.obj, name)
}

// Ready tells whether the lock is free.
func (l *Spinlock) Ready(*sim.Task) bool { return l.owner == nil }

// Owners is the holder, for deadlock reports.
func (l *Spinlock) Owners(*sim.Task) []*sim.Task { return []*sim.Task{l.owner.Task} }

// ClassNow foresees a trylock that fails.
func (l *Spinlock) ClassNow(*sim.Task) sim.Class { return classOfTrylock(l.owner == nil) }

// Lock is spin_lock: preemption is off while the lock is held.
func (l *Spinlock) Lock(t *Task) { l.lock(t, "spin_lock", &l.dep) }

// LockNested is spin_lock_nested with a subclass, from 1; see [Mutex.LockNested].
func (l *Spinlock) LockNested(t *Task, subclass int) {
	dep := l.dep.subclass(t, subclass)
	l.lock(t, "spin_lock_nested", &dep)
}

// LockIrqsaveNested is spin_lock_irqsave_nested.
func (l *Spinlock) LockIrqsaveNested(t *Task, subclass int) IrqFlags {
	flags := t.LocalIrqSave()
	dep := l.dep.subclass(t, subclass)
	l.lock(t, "spin_lock_irqsave_nested", &dep)
	return flags
}

// LockBh is spin_lock_bh: softirqs are off too.
func (l *Spinlock) LockBh(t *Task) {
	t.LocalBhDisable()
	l.lock(t, "spin_lock_bh", &l.dep)
}

// LockIrq is spin_lock_irq: interrupts are off too.
func (l *Spinlock) LockIrq(t *Task) {
	t.LocalIrqDisable()
	l.lock(t, "spin_lock_irq", &l.dep)
}

// LockIrqsave is spin_lock_irqsave: as LockIrq, and returns what UnlockIrqrestore is to
// restore.
func (l *Spinlock) LockIrqsave(t *Task) IrqFlags {
	flags := t.LocalIrqSave()
	l.lock(t, "spin_lock_irqsave", &l.dep)
	return flags
}

func (l *Spinlock) lock(t *Task, verb string, dep *lockDep) {
	t.PreemptDisable()
	if l.owner == t {
		t.FailWith(sim.Deadlock, t.circumstances(), "BUG: spinlock recursion: %s locks %s, which it holds already", t.Task, l.obj.Name)
	}
	t.order(dep, mayWait) // before the wait, which may have no end
	t.Step(sim.Op{Verb: verb, Obj: &l.obj, Guard: l})
	t.Check(l.mem)
	l.take(t, dep, mayWait)
}

// Trylock is spin_trylock: true if the lock was taken.
func (l *Spinlock) Trylock(t *Task) bool {
	t.PreemptDisable()
	t.Step(sim.Op{Verb: "spin_trylock", Obj: &l.obj, Foresee: l})
	t.Check(l.mem)
	if l.owner != nil {
		t.Did(sim.Read)
		t.PreemptEnable()
		return false
	}
	l.take(t, &l.dep, trying)
	return true
}

func (l *Spinlock) take(t *Task, dep *lockDep, how acquiring) {
	l.owner, l.as = t, dep.class
	t.Acquire(&l.obj)
	t.spins = append(t.spins, l)
	t.holds(dep)
	t.usedAs(dep, how)
}

// Unlock is spin_unlock.
func (l *Spinlock) Unlock(t *Task) {
	l.unlock(t, "spin_unlock")
	t.PreemptEnable()
}

// UnlockBh is spin_unlock_bh.
func (l *Spinlock) UnlockBh(t *Task) {
	l.unlock(t, "spin_unlock_bh")
	t.PreemptEnable()
	t.LocalBhEnable()
}

// UnlockIrq is spin_unlock_irq: interrupts are on afterwards, even if they were off when
// the lock was taken.
func (l *Spinlock) UnlockIrq(t *Task) {
	l.unlock(t, "spin_unlock_irq")
	t.LocalIrqEnable()
	t.PreemptEnable()
}

// UnlockIrqrestore is spin_unlock_irqrestore.
func (l *Spinlock) UnlockIrqrestore(t *Task, flags IrqFlags) {
	l.unlock(t, "spin_unlock_irqrestore")
	t.LocalIrqRestore(flags)
	t.PreemptEnable()
}

func (l *Spinlock) unlock(t *Task, verb string) {
	if l.owner != t {
		t.Fail(sim.Misuse, "%s unlocks %s, which %s", t.Task, l.obj.Name, heldBy(l.owner))
	}
	t.Step(sim.Op{Verb: verb, Obj: &l.obj, Releases: true})
	t.Check(l.mem)
	l.owner = nil
	t.Release(&l.obj)
	t.released(&lockDep{class: l.as, name: l.dep.name})
	for i := len(t.spins) - 1; i >= 0; i-- {
		if t.spins[i] == l {
			t.spins = append(t.spins[:i], t.spins[i+1:]...)
			return
		}
	}
}

// Held tells whether t holds the lock: lockdep_is_held.
func (l *Spinlock) Held(t *Task) bool { return l.owner == t }

func (l *Spinlock) holder() (*Task, string) { return l.owner, l.obj.Name }

// spinning is the number of spinlocks that t holds.
func (t *Task) spinning() int { return len(t.spins) }
