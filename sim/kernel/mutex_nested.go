package kernel

import (
	"strconv"

	"dmasim/sim"
)

// LockNested is mutex_lock_nested with a subclass, from 1: to lockdep the mutex is of a class of
// its own this time. So another mutex of its class may be held, and there is an order among
// the two that others must keep.
func (mu *Mutex) LockNested(t *Task, subclass int) {
	t.MightSleep("mutex_lock_nested", mu.obj.Name)
	if mu.owner == t {
		t.Fail(sim.Deadlock, "%s locks %s, which it holds already", t.Task, mu.obj.Name)
	}
	dep := mu.dep.subclass(t, subclass)
	t.order(&dep, mayWait)
	mu.waiters = append(mu.waiters, mutexWaiter{t.Task, mu.taken})
	t.Step(sim.Op{Verb: "mutex_lock_nested", Obj: &mu.obj, Guard: mu})
	t.Check(mu.mem)
	mu.leave(t, true)
	mu.takeAs(t, &dep, mayWait)
}

// subclass is the lock as one of a subclass of its class.
func (d *lockDep) subclass(t *Task, n int) lockDep {
	return lockDep{t.K.class(d.class.name + "/" + strconv.Itoa(n)), d.name, d.obj, t.K.Lockdep.node(d)}
}
