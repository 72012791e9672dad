package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// replacing is a reader of a published object, and an updater that replaces and
// frees it, waiting before the free as it is told to.
func replacing(wait func(k *Task, free func(*Task))) func(k *Task) {
	return func(k *Task) {
		var p RCU[object]
		p.Init(k, nil, "p")
		first := newObject(k, 1)
		p.Assign(k, first)
		k.Go("reader", func(k *Task) {
			k.RCUReadLock()
			o := p.Dereference(k)
			k.Step(opStep) // the update may come here
			if v := o.v.Get(k); v != 1 && v != 2 {
				k.BUG("the object was published before it was initialised")
			}
			k.RCUReadUnlock()
		})
		k.Go("updater", func(k *Task) {
			p.Assign(k, newObject(k, 2))
			wait(k, func(k *Task) { k.Free(&first.Mem) })
		})
		k.Explore()
		k.Free(&p.Peek().Mem)
	}
}

var rcuCases = cases{
	{"C-RCU-01", func(t *testing.T) {
		always(t, replacing(func(k *Task, free func(*Task)) { k.SynchronizeRCU(); free(k) }))
		always(t, replacing(func(k *Task, free func(*Task)) { k.CallRCU("free", free) }))
		sometimes(t, UseAfterFree, "reader (task 1) uses object#1, which was freed by updater (task 2)",
			replacing(func(k *Task, free func(*Task)) { free(k) }))
	}},
	{"C-RCU-02", func(t *testing.T) {
		out := outcomes(t, func(k *Task, say func(string, ...any)) {
			var p RCU[int]
			p.Init(k, nil, "p")
			p.Assign(k, new(int))
			removed, seen := false, "nothing"
			k.Go("updater", func(k *Task) { p.Assign(k, nil); removed = true })
			k.Go("reader", func(k *Task) {
				k.RCUReadLock()
				late := removed
				if p.Dereference(k) != nil {
					seen = "the object"
					if late {
						seen = "the object after its removal"
					}
				}
				k.RCUReadUnlock()
			})
			k.Explore()
			say("%s", seen)
		})
		require.Equal(t, set("nothing", "the object"), out)
	}},
	{"C-RCU-03", func(t *testing.T) {
		// A grace period does not wait for readers that begin after it.
		out := outcomes(t, func(k *Task, say func(string, ...any)) {
			inside, overlapped := false, false
			k.Go("updater", func(k *Task) {
				k.Step(opStep)
				k.CallRCU("callback", func(*Task) { overlapped = inside })
				k.Go("later reader", func(k *Task) {
					k.RCUReadLock()
					k.Step(opStep)
					inside = true
					k.Step(opStep)
					inside = false
					k.RCUReadUnlock()
				})
			})
			k.Go("other", func(k *Task) { k.Step(opStep) })
			k.Explore()
			say("%v", overlapped)
		})
		require.Equal(t, set("true", "false"), out)
	}},
	{"C-RCU-04", func(t *testing.T) {
		always(t, func(k *Task) {
			var p RCU[object]
			p.Init(k, nil, "p")
			k.Go("publisher", func(k *Task) {
				o := newObject(k, 0)
				o.v.Set(k, 7)
				p.Assign(k, o)
			})
			k.Go("reader", func(k *Task) {
				k.RCUReadLock()
				if o := p.Dereference(k); o != nil && o.v.Get(k) != 7 {
					k.BUG("not initialised")
				}
				k.RCUReadUnlock()
			})
			k.Explore()
			k.Free(&p.Peek().Mem)
		})
	}},
	{"C-RCU-05", func(t *testing.T) {
		var p RCU[int]
		fails(t, Context, "suspicious RCU usage: rcu_dereference(p) outside a read section", func(k *Task) {
			p.Init(k, nil, "p")
			p.Dereference(k)
		})
		fails(t, Context, "suspicious RCU usage: rcu_dereference(p) outside a read section", func(k *Task) {
			p.Init(k, nil, "p")
			k.RCUReadLock()
			k.RCUReadLock()
			k.RCUReadUnlock()
			p.Dereference(k) // sections nest
			k.RCUReadUnlock()
			p.Dereference(k)
		})
		fails(t, Context, "suspicious RCU usage: rcu_dereference_protected(p) without its lock", func(k *Task) {
			p.Init(k, nil, "p")
			p.DereferenceProtected(k, true)
			p.DereferenceProtected(k, false)
		})
	}},
	{"C-RCU-06", func(t *testing.T) {
		fails(t, Context, "mutex_lock(a) in", func(k *Task) {
			a, _ := twoMutexes(k)
			k.RCUReadLock()
			a.Lock(k)
		})
	}},
}

func TestRCUUnbalanced(t *testing.T) {
	fails(t, "misuse", "rcu_read_unlock outside a read section", func(k *Task) { k.RCUReadUnlock() })
}

// Sections nest: the end of the inner one does not end the outer one.
func TestRCUNesting(t *testing.T) {
	always(t, func(k *Task) {
		var p RCU[object]
		p.Init(k, nil, "p")
		o := newObject(k, 1)
		p.Assign(k, o)
		k.Go("reader", func(k *Task) {
			k.RCUReadLock()
			o := p.Dereference(k)
			k.RCUReadLock()
			k.RCUReadUnlock()
			k.Step(opStep)
			if o != nil {
				o.v.Get(k)
			}
			k.RCUReadUnlock()
		})
		k.Go("updater", func(k *Task) { p.Assign(k, nil); k.SynchronizeRCU(); k.Free(&o.Mem) })
		k.Explore()
	})
}

// Two grace periods each wait for the readers of their own.
func TestRCUGracePeriodsAreIndependent(t *testing.T) {
	always(t, func(k *Task) {
		inside := 0
		for range 2 {
			k.Go("both", func(k *Task) {
				k.RCUReadLock()
				k.Step(opStep)
				inside++
				k.Step(opStep)
				inside--
				k.RCUReadUnlock()
			})
		}
		k.Go("updater", func(k *Task) {
			before := inside
			k.SynchronizeRCU()
			if before == 2 && inside != 0 {
				k.BUG("a reader from before is still inside")
			}
		})
		k.Explore()
	})
}
