package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

// krefObject is an object that frees itself with its last reference.
type krefObject struct {
	object
	ref Kref
}

func newKrefObject(k *Task) *krefObject {
	o := &krefObject{}
	k.Alloc(GFP_ATOMIC, &o.Mem, "object")
	o.v.Init(k, &o.Mem, "object.v", 1)
	o.ref.Init(k, &o.Mem, "object.ref")
	return o
}

func (o *krefObject) free(k *Task) { k.Free(&o.Mem) }

// found is an object in a table, which holds no reference: the last put takes the object
// out. A finder gets a reference as it is told to.
func found(get func(o *krefObject, k *Task) bool) func(k *Task) {
	return func(k *Task) {
		var table RCU[krefObject]
		table.Init(k, nil, "table")
		o := newKrefObject(k)
		table.Assign(k, o)
		release := func(k *Task) {
			table.Assign(k, nil)
			k.CallRCU("free", o.free)
		}
		k.Go("owner", func(k *Task) { o.ref.Put(k, release) })
		k.Go("finder", func(k *Task) {
			k.RCUReadLock()
			o := table.Dereference(k)
			if o == nil || !get(o, k) {
				k.RCUReadUnlock()
				return
			}
			k.RCUReadUnlock()
			o.v.Get(k)
			o.ref.Put(k, release)
		})
		k.Explore()
	}
}

var _ = conform(cases{
	{"C-KREF-01", func(t *testing.T) {
		// After a put that did not release, the object may be there or not.
		users := func(after func(o *krefObject, k *Task)) func(k *Task) {
			return func(k *Task) {
				o := newKrefObject(k)
				o.ref.Get(k)
				released := 0
				for range 2 {
					k.Go("user", func(k *Task) {
						if o.ref.Put(k, o.free) {
							released++
							return
						}
						k.Step(opStep)
						after(o, k)
					})
				}
				k.Explore()
				if released != 1 {
					k.BUG("released %d times", released)
				}
			}
		}
		always(t, users(func(*krefObject, *Task) {}))
		sometimes(t, UseAfterFree, "uses object#1, which was freed by user", raceless(users(func(o *krefObject, k *Task) { o.get(k) })))
		out := outcomes(t, func(k *Task, say func(string, ...any)) {
			users(func(o *krefObject, k *Task) {
				k.Touch(&o.life, sim.Read)
				say("alive: %v", o.Alive())
			})(k)
		})
		require.Equal(t, set("alive: true", "alive: false"), out)
	}},
	{"C-KREF-02", func(t *testing.T) {
		always(t, found(func(o *krefObject, k *Task) bool { return o.ref.GetUnlessZero(k) }))
		sometimes(t, RefcountMisuse, "addition on 0; use-after-free: object.ref", found(func(o *krefObject, k *Task) bool {
			o.ref.Get(k)
			return true
		}))
	}},
})

// release has the lock, and gives it up.
func TestKrefPutLocked(t *testing.T) {
	always(t, func(k *Task) {
		o := newKrefObject(k)
		var mu Mutex
		mu.Init(k, nil, "mu")
		o.ref.Get(k)
		for range 2 {
			k.Go("user", func(k *Task) {
				o.ref.PutMutex(k, func(k *Task) {
					o.free(k)
					mu.Unlock(k)
				}, &mu)
				require.False(t, mu.Held(k))
			})
		}
		k.Explore()
	})
	always(t, func(k *Task) {
		o := newKrefObject(k)
		var l Spinlock
		l.Init(k, nil, "l")
		o.ref.Get(k)
		require.EqualValues(t, 2, o.ref.Read(k))
		for range 2 {
			k.Go("user", func(k *Task) {
				o.ref.PutLock(k, func(k *Task) {
					o.free(k)
					l.Unlock(k)
				}, &l)
				require.False(t, l.Held(k))
			})
		}
		k.Explore()
	})
	fails(t, Context, "returned with locks held: mu", func(k *Task) {
		o := newKrefObject(k)
		var mu Mutex
		mu.Init(k, nil, "mu")
		k.Go("user", func(k *Task) { o.ref.PutMutex(k, o.free, &mu) })
		k.Explore()
	})
}

// Without a release function only the last put goes wrong.
func TestKrefWithoutRelease(t *testing.T) {
	fails(t, sim.Bug, "object.ref has no release function", func(k *Task) {
		o := newKrefObject(k)
		o.ref.Get(k)
		require.False(t, o.ref.Put(k, nil))
		o.ref.Put(k, nil)
	})
}
