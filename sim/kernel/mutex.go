package kernel

import "dmasim/sim"

// Mutex is struct mutex (kernel/locking/mutex.c): one owner, no recursion, task
// context only.
type Mutex struct {
	obj   sim.Object
	mem   *Mem
	owner *Task
}

// Init initialises the mutex, as part of in (nil: static storage).
func (mu *Mutex) Init(t *Task, in *Mem, name string) {
	t.own(&mu.obj, in, "mutex", name)
	mu.mem = in
	in.lock(mu)
}

// Ready tells whether the mutex is free.
func (mu *Mutex) Ready(*sim.Task) bool { return mu.owner == nil }

// Owners is the holder, for deadlock reports.
func (mu *Mutex) Owners(*sim.Task) []*sim.Task { return []*sim.Task{mu.owner.Task} }

// Lock is mutex_lock: uninterruptible.
func (mu *Mutex) Lock(t *Task) {
	t.MightSleep("mutex_lock", mu.obj.Name)
	if mu.owner == t {
		t.Fail(sim.Deadlock, "%s locks %s, which it holds already", t.Task, mu.obj.Name)
	}
	t.Step(sim.Op{Verb: "mutex_lock", Obj: &mu.obj, Guard: mu})
	t.Check(mu.mem)
	mu.owner = t
	t.hold(mu.obj.Name)
}

// Trylock is mutex_trylock: true if the mutex was taken.
func (mu *Mutex) Trylock(t *Task) bool {
	if t.ctx >= InSoftirq {
		t.Fail(Context, "mutex_trylock(%s) in %s context (%s)", mu.obj.Name, t.ctx, t.Name)
	}
	t.Step(sim.Op{Verb: "mutex_trylock", Obj: &mu.obj})
	t.Check(mu.mem)
	if mu.owner != nil {
		t.Did(sim.Read)
		return false
	}
	mu.owner = t
	t.hold(mu.obj.Name)
	return true
}

// Unlock is mutex_unlock.
func (mu *Mutex) Unlock(t *Task) {
	if t.ctx >= InSoftirq {
		t.Fail(Context, "mutex_unlock(%s) in %s context (%s)", mu.obj.Name, t.ctx, t.Name)
	}
	if mu.owner != t {
		t.Fail(sim.Misuse, "%s unlocks %s, which %s", t.Task, mu.obj.Name, heldBy(mu.owner))
	}
	t.Step(sim.Op{Verb: "mutex_unlock", Obj: &mu.obj, Releases: true})
	t.Check(mu.mem)
	mu.owner = nil
	t.release(mu.obj.Name)
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
