package kernel

import (
	"testing"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// mutexInside is an object with a lock of one of two kinds in it.
type mutexInside struct {
	Mem
	lock, unlock func(*Task)
	try          func(*Task) bool
	obj          *sim.Object
	free         func() bool
	users        Field[int]
	refs         Shared[int]
}

func newMutexInside(k *Task, ww bool) *mutexInside {
	o := &mutexInside{}
	k.Alloc(GFP_KERNEL, &o.Mem, "object")
	o.users.Init(k, &o.Mem, "object.users", 2)
	o.refs.Init(k, &o.Mem, "refs", 2)
	if ww {
		w := &WWMutex{}
		w.Init(k, &o.Mem, k.WWClass("resv", WaitDie), "object.lock")
		o.lock, o.unlock, o.try = func(k *Task) { w.Lock(k, nil) }, w.Unlock, w.Trylock
		o.obj, o.free = &w.obj, func() bool { return w.owner == nil }
		return o
	}
	mu := &Mutex{}
	mu.Init(k, &o.Mem, "object.lock")
	o.lock, o.unlock, o.try = mu.Lock, mu.Unlock, mu.Trylock
	o.obj, o.free = &mu.obj, func() bool { return mu.owner == nil }
	return o
}

// user counts itself out under the lock; the last one frees the object. With refs each
// user holds a reference until it has unlocked.
func (o *mutexInside) user(refs bool) func(*Task) {
	return func(k *Task) {
		o.lock(k)
		o.users.Set(k, o.users.Get(k)-1)
		last := o.users.Get(k) == 0
		o.unlock(k)
		if refs {
			last = o.refs.Update(k, func(n int) int { return n - 1 }) == 0
		}
		if last {
			k.Free(&o.Mem)
		}
	}
}

// The last user of an object must not free it because it has had the lock in it: the user
// before may still be unlocking.
func TestMutexFreedByTheNext(t *testing.T) {
	for _, ww := range []bool{false, true} {
		body := func(refs bool) func(*Task) {
			return func(k *Task) {
				o := newMutexInside(k, ww)
				for range 2 {
					k.Go("user", o.user(refs))
				}
				k.Explore()
			}
		}
		sometimes(t, UseAfterFree, "is still in the unlock call of object.lock, part of object#1, which was freed", body(false))
		on.Finds(t, explore.NewDPOR(), body(false), UseAfterFree)
		always(t, body(true))
		on.Survives(t, explore.NewDPOR(), body(true))
	}
}

// A task that has gone on is not in its unlock call any more, nor is one behind which
// nobody was queued.
func TestMutexFreedAfterUnlock(t *testing.T) {
	for _, ww := range []bool{false, true} {
		after := func(take func(k *Task, o *mutexInside), goOn func(k *Task, done *Completion)) func(*Task) {
			return func(k *Task) {
				o := newMutexInside(k, ww)
				var done Completion
				done.Init(k, nil, "done")
				k.Go("first", func(k *Task) {
					o.lock(k)
					k.Go("next", func(k *Task) {
						if goOn != nil {
							done.Wait(k)
						}
						take(k, o)
						o.unlock(k)
						k.Free(&o.Mem)
					})
					o.unlock(k)
					if goOn != nil {
						goOn(k, &done)
					}
				})
				k.Explore()
			}
		}
		lock := func(k *Task, o *mutexInside) { o.lock(k) }
		try := func(k *Task, o *mutexInside) {
			k.Step(sim.Op{Verb: "until it is free", Obj: o.obj, Class: sim.Read, Guard: when(o.free)})
			if !o.try(k) {
				k.BUG("trylock failed")
			}
		}
		sometimes(t, UseAfterFree, "first (task 1) is still in the unlock call", after(lock, nil))
		always(t, after(try, nil))
		always(t, after(lock, func(k *Task, done *Completion) { done.Complete(k) }))
		always(t, func(k *Task) { // freed by a callback that the unlocker asked for
			o := newMutexInside(k, ww)
			k.Go("task", func(k *Task) {
				o.lock(k)
				o.unlock(k)
				k.CallRCU("free", func(k *Task) { k.Free(&o.Mem) })
			})
			k.Go("idle", func(*Task) {})
			k.Explore()
		})
	}
}
