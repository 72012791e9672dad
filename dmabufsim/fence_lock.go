package dmabufsim

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// fenceLock is the spinlock of a fence: its own, or one that its driver gave it.
//
// Under its own lock an operation mostly does nothing that others could see a part of.
// Then taking the lock, the operation, and giving the lock up are one. But a callback, or an
// op of the driver, can have operations of its own. Before it calls one of them the
// holder shows that the lock is held, and gives it up in an operation of its own if there
// were any.
type fenceLock struct {
	ext   *kernel.Spinlock
	dep   *kernel.LockMap
	owner *kernel.Task // of the fence's own lock

	shown bool
	count [2]int // of the machine's operations when the lock was shown
	flags kernel.IrqFlags
}

func (l *fenceLock) init(t *kernel.Task, ext *kernel.Spinlock, driver string) {
	l.ext = ext
	if ext == nil {
		l.dep = t.LockMap(driver + " fence lock")
	}
}

// held tells whether t holds the lock: lockdep_assert_held.
func (l *fenceLock) held(t *kernel.Task) bool {
	if l.ext != nil {
		return l.ext.Held(t)
	}
	return l.owner == t
}

// unlocked is the guard of who waits for the lock of a fence.
type unlocked Fence

func (f *unlocked) Ready(*sim.Task) bool { return f.lock.owner == nil }
func (f *unlocked) Owners(*sim.Task) []*sim.Task {
	return []*sim.Task{f.lock.owner.Task}
}

// enter takes the lock with interrupts off, and announces what is done under it, which is
// one operation.
func (f *Fence) enter(t *kernel.Task, verb string, class sim.Class) {
	if f.lock.ext == nil {
		f.lock.dep.Wait(t)
	}
	f.enterIf(t, verb, class, (*unlocked)(f))
}

// enterIf is enter with another guard, for who may find that the lock is not needed.
func (f *Fence) enterIf(t *kernel.Task, verb string, class sim.Class, guard sim.Guard) {
	t.Check(f.mem)
	l := &f.lock
	if l.ext != nil {
		l.flags = l.ext.LockIrqsave(t)
		t.Check(f.mem)
		t.Touch(&f.obj, class)
		return
	}
	if l.owner == t && !guard.Ready(t.Task) {
		t.Fail(sim.Deadlock, "BUG: spinlock recursion: %s takes the lock of %s in %s, and holds it already", t.Task, f, verb)
	}
	t.Step(sim.Op{Verb: verb, Obj: &f.obj, Class: class, Guard: guard})
	t.Check(f.mem)
	t.Acquire(&f.obj)
	if l.owner == nil {
		l.owner, l.shown = t, false
	}
}

// did corrects the class of the operation that enter announced.
func (f *Fence) did(t *kernel.Task, c sim.Class) {
	if f.lock.ext == nil {
		t.Did(c)
	}
}

// hold shows that t holds the lock, since it is about to call somebody else.
func (f *Fence) hold(t *kernel.Task) {
	l := &f.lock
	if l.ext != nil || l.shown {
		return
	}
	l.shown, l.count = true, operations(t)
	l.flags = t.LocalIrqSave()
	t.PreemptDisable()
	l.dep.Acquire(t, true)
}

// leave gives the lock up.
func (f *Fence) leave(t *kernel.Task) {
	l := &f.lock
	if l.ext != nil {
		flags := l.flags
		l.ext.UnlockIrqrestore(t, flags)
		return
	}
	if l.shown {
		if operations(t) != l.count {
			t.Step(sim.Op{Verb: "spin_unlock_irqrestore", Obj: &f.obj})
			t.Check(f.mem)
		}
		t.Release(&f.obj)
		l.dep.Release(t)
		l.shown, l.owner = false, nil
		t.LocalIrqRestore(l.flags)
		t.PreemptEnable()
		return
	}
	t.Release(&f.obj)
	l.owner = nil
}

// operations counts what the machine has granted: as long as it stays the same, nobody but
// the running task has run.
func operations(t *kernel.Task) [2]int {
	m := t.Machine()
	return [2]int{len(m.Events()), m.Steps()}
}

// Lock is dma_fence_lock_irqsave, for the calls that want the lock held.
func (f *Fence) Lock(t *kernel.Task) {
	f.enter(t, "spin_lock_irqsave", sim.Write)
	f.hold(t)
	f.lock.count = [2]int{} // others may look before the unlock
}

// Unlock is dma_fence_unlock_irqrestore.
func (f *Fence) Unlock(t *kernel.Task) {
	f.assertHeld(t, "spin_unlock_irqrestore")
	f.leave(t)
}

func (f *Fence) assertHeld(t *kernel.Task, call string) {
	if !f.lock.held(t) {
		t.Fail(sim.Misuse, "%s: %s does not hold the lock of %s", call, t.Task, f)
	}
}
