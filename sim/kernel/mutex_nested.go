package kernel

import "dmasim/sim"

// LockNested is mutex_lock_nested with a subclass: another mutex of its class may be held,
// and lockdep takes the caller's word that there is an order among them.
func (mu *Mutex) LockNested(t *Task) {
	t.MightSleep("mutex_lock_nested", mu.obj.Name)
	if mu.owner == t {
		t.Fail(sim.Deadlock, "%s locks %s, which it holds already", t.Task, mu.obj.Name)
	}
	t.order(&mu.dep, nesting)
	mu.waiters = append(mu.waiters, mutexWaiter{t.Task, mu.taken})
	t.Step(sim.Op{Verb: "mutex_lock_nested", Obj: &mu.obj, Guard: mu})
	t.Check(mu.mem)
	mu.leave(t, true)
	mu.take(t, mayWait)
}
