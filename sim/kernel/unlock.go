package kernel

import "dmasim/sim"

// unlocking is the end of mutex_unlock. Once the owner is cleared, another task can have the
// mutex; but if somebody was queued, unlock goes on with it to wake the first. So who takes
// the mutex next must not free it by that alone, unless the unlocker has gone on.
//
// Here that end is part of the unlocker's next operation, which reads the memory of the
// mutex. It is an access only if the next owner may have been queued: if it took the mutex
// with a lock call, and not with a trylock.
type unlocking struct {
	obj    *sim.Object // the mutex, nil if t is not about to leave an unlock call
	mem    *Mem
	queued bool
}

// lastUnlock is the part of a mutex that knows who may still be in its unlock call.
type lastUnlock struct{ by *Task }

// unlocked begins the end of an unlock call of t.
func (u *lastUnlock) unlocked(t *Task, obj *sim.Object, mem *Mem) {
	if mem != nil {
		t.leaving, u.by = unlocking{obj: obj, mem: mem}, t
	}
}

// taken tells it how the mutex was taken next.
func (u *lastUnlock) taken(obj *sim.Object, how acquiring) {
	if u.by != nil && u.by.leaving.obj == obj {
		u.by.leaving.queued = how != trying
	}
	u.by = nil
}

// left ends the unlock call that t was in: it has gone on.
func (t *Task) left() {
	u := t.leaving
	t.leaving = unlocking{}
	t.Task.Touch(&u.mem.life, sim.Read)
	if u.queued && u.mem.state == freed {
		t.Fail(UseAfterFree, "%s is still in the unlock call of %s, part of %s, which was freed %s (allocated %s)", t.Task, u.obj.Name, u.mem, u.mem.freed, u.mem.allocated)
	}
}

// Touch adds an access to the operation that was just granted; see sim.Task.Touch. What t
// did before it is over by then.
func (t *Task) Touch(o *sim.Object, c sim.Class) {
	t.leaving.obj = nil
	t.Task.Touch(o, c)
}

// Explore is sim.Task.Explore, and then looks at what is left: see Kernel.WhenSettled.
func (t *Task) Explore() {
	t.leaving.obj = nil
	t.Task.Explore()
	for _, fn := range t.K.settled {
		fn(t)
	}
}

// Join is sim.Task.Join.
func (t *Task) Join(tasks ...*sim.Task) {
	t.leaving.obj = nil
	t.Task.Join(tasks...)
}
