package kernel

import (
	"slices"

	"dmasim/sim"
)

// Mutex is struct mutex (kernel/locking/mutex.c): one owner, no recursion, task
// context only.
//
// A wait is one operation. A task that waits may not have come as far as the queue yet, or
// may spin, so whoever waits can be passed over, and no finite run tells from how often
// that the kernel queues. What its queue is for, that a waiter gets the mutex in the end,
// holds here too: see patience. Exploration does not count the arrival of a waiter as an
// access, so it may leave out runs in which one is passed over more often than that.
type Mutex struct {
	obj   sim.Object
	mem   *Mem
	owner *Task
	dep   lockDep
	as    *LockClass // that it was taken as: the class of dep, or a subclass
	last  lastUnlock

	taken    int // how often
	waiters  []mutexWaiter
	patience int
}

// mutexWaiter is a task that is about to take the mutex, and how often it had been taken
// before.
type mutexWaiter struct {
	t     *sim.Task
	since int
}

// patience is how often a waiter is passed over before it gets the mutex by handoff: the
// next unlock makes it the owner. In the kernel that is once from when it has been woken in
// vain, but until then it may take any time.
const patience = 32

// Init is mutex_init, as part of in (nil: static storage).
func (mu *Mutex) Init(t *Task, in *Mem, name string) {
	t.own(&mu.obj, in, "mutex", name)
	mu.mem, mu.patience = in, patience
	in.lock(mu)
	t.initDep(&mu.dep, &mu.obj, name)
}

// Ready tells whether t can take the mutex.
func (mu *Mutex) Ready(t *sim.Task) bool {
	if mu.owner != nil {
		return false
	}
	heir := mu.heir()
	return heir == nil || heir == t
}

// heir is the waiter that the mutex is handed to, if that is due.
func (mu *Mutex) heir() *sim.Task {
	if len(mu.waiters) > 0 && mu.taken-mu.waiters[0].since >= mu.patience {
		return mu.waiters[0].t
	}
	return nil
}

// Owners is the holder, for deadlock reports.
func (mu *Mutex) Owners(*sim.Task) []*sim.Task {
	if mu.owner == nil {
		return []*sim.Task{mu.heir()}
	}
	return []*sim.Task{mu.owner.Task}
}

// ClassNow foresees a trylock that fails.
func (mu *Mutex) ClassNow(t *sim.Task) sim.Class { return classOfTrylock(mu.Ready(t)) }

func classOfTrylock(free bool) sim.Class {
	if free {
		return sim.Write
	}
	return sim.Read
}

// Lock is mutex_lock: uninterruptible.
func (mu *Mutex) Lock(t *Task) { mu.lock(t, "mutex_lock", Uninterruptible) }

// LockInterruptible is mutex_lock_interruptible: OK, or EINTR if the mutex is not free and
// a signal is pending.
func (mu *Mutex) LockInterruptible(t *Task) Errno {
	return mu.lock(t, "mutex_lock_interruptible", Interruptible)
}

// LockKillable is mutex_lock_killable: OK, or EINTR if the mutex is not free and a fatal
// signal is pending.
func (mu *Mutex) LockKillable(t *Task) Errno { return mu.lock(t, "mutex_lock_killable", Killable) }

func (mu *Mutex) lock(t *Task, call string, state State) Errno {
	t.MightSleep(call, mu.obj.Name)
	if mu.owner == t {
		t.Fail(sim.Deadlock, "%s locks %s, which it holds already", t.Task, mu.obj.Name)
	}
	t.order(&mu.dep, mayWait) // before the wait, which may have no end
	mu.waiters = append(mu.waiters, mutexWaiter{t.Task, mu.taken})
	got := t.sleep(sim.Op{Verb: call, Obj: &mu.obj, Guard: mu}, state, MaxScheduleTimeout)
	t.Check(mu.mem)
	mu.leave(t, got.ready)
	if !got.ready {
		return EINTR
	}
	mu.take(t, mayWait)
	return OK
}

// leave takes t out of those who wait.
func (mu *Mutex) leave(t *Task, got bool) {
	i := slices.IndexFunc(mu.waiters, func(w mutexWaiter) bool { return w.t == t.Task })
	if !got {
		// An heir gives up only while somebody holds the mutex, since it takes one that is
		// free; and until the unlock, which writes, nothing depends on who the heir is.
		t.Did(sim.Read)
	}
	mu.waiters = slices.Delete(mu.waiters, i, i+1)
}

func (mu *Mutex) take(t *Task, how acquiring) { mu.takeAs(t, &mu.dep, how) }

func (mu *Mutex) takeAs(t *Task, dep *lockDep, how acquiring) {
	mu.last.taken(&mu.obj, how)
	mu.owner = t
	t.Acquire(&mu.obj)
	mu.taken++
	mu.as = dep.class
	t.tookSleeping(dep, how)
}

// Trylock is mutex_trylock: true if the mutex was taken.
func (mu *Mutex) Trylock(t *Task) bool {
	t.notInInterrupt("mutex_trylock", mu.obj.Name)
	t.Step(sim.Op{Verb: "mutex_trylock", Obj: &mu.obj, Foresee: mu})
	t.Check(mu.mem)
	if !mu.Ready(t.Task) {
		t.Did(sim.Read)
		return false
	}
	mu.take(t, trying)
	return true
}

// Unlock is mutex_unlock. It may still use the mutex when the next owner has it: see
// unlocking.
func (mu *Mutex) Unlock(t *Task) {
	t.notInInterrupt("mutex_unlock", mu.obj.Name)
	if mu.owner != t {
		t.Fail(sim.Misuse, "%s unlocks %s, which %s", t.Task, mu.obj.Name, heldBy(mu.owner))
	}
	t.Step(sim.Op{Verb: "mutex_unlock", Obj: &mu.obj, Releases: true})
	t.Check(mu.mem)
	mu.owner = nil
	t.Release(&mu.obj)
	mu.last.unlocked(t, &mu.obj, mu.mem)
	t.released(&lockDep{class: mu.as, name: mu.dep.name})
}

// Held tells whether t holds the mutex: lockdep_is_held.
func (mu *Mutex) Held(t *Task) bool { return mu.owner == t }

// holder is the owner of a lock, for the memory that it is part of.
func (mu *Mutex) holder() (*Task, string) { return mu.owner, mu.obj.Name }

func heldBy(owner *Task) string {
	if owner == nil {
		return "nobody holds"
	}
	return owner.Task.String() + " holds"
}
