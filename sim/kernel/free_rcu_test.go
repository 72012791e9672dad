package kernel

import (
	"dmasim/sim"
	"testing"

	"github.com/stretchr/testify/require"
)

// A reader may use the object to the end of its section, whoever else is a reader.
func TestFreeRCU(t *testing.T) {
	free := func(k *Task, m *Mem) { k.FreeRCU(m) }
	reading := func(late bool, free func(k *Task, m *Mem)) func(k *Task) {
		return func(k *Task) {
			var p RCU[object]
			p.Init(k, nil, "p")
			o := newObject(k, 1)
			p.Assign(k, o)
			for range 2 {
				k.Go("reader", func(k *Task) {
					k.RCUReadLock()
					o := p.Dereference(k)
					if late {
						k.RCUReadUnlock()
					}
					if o != nil {
						k.Use(&o.Mem)
					}
					if !late {
						k.RCUReadUnlock()
					}
				})
			}
			k.Go("updater", func(k *Task) { p.Assign(k, nil); free(k, &o.Mem) })
			k.Explore()
			require.False(t, o.Alive())
		}
	}
	always(t, reading(false, free))
	on.Everywhere(t, reading(false, free))
	f := sometimes(t, UseAfterFree, "uses object#1, which was freed by updater", reading(true, free))
	require.NotNil(t, f)
	sometimes(t, UseAfterFree, "uses object#1", reading(false, func(k *Task, m *Mem) { k.Free(m) }))
	passes(t, func(k *Task) { // the section of who frees counts too
		o := newObject(k, 1)
		k.RCUReadLock()
		k.FreeRCU(&o.Mem)
		require.True(t, o.Alive())
		o.v.Get(k)
		k.RCUReadUnlock()
		require.False(t, o.Alive())
	})
	fails(t, DoubleFree, "object#1 given to kfree_rcu again", func(k *Task) {
		o := newObject(k, 1)
		k.RCUReadLock()
		k.FreeRCU(&o.Mem)
		k.FreeRCU(&o.Mem)
	})
	fails(t, UseAfterFree, "uses object#1", func(k *Task) {
		o := newObject(k, 1)
		k.FreeRCU(&o.Mem)
		k.FreeRCU(&o.Mem)
	})
}

// A subsystem is made once, and what it owns has the same identity whoever comes first.
func TestSubsystem(t *testing.T) {
	type key struct{}
	passes(t, func(k *Task) {
		n := 0
		boot := func() any { n++; return &n }
		require.Same(t, &n, k.Subsystem(key{}, boot))
		require.Same(t, &n, k.Subsystem(key{}, boot))
		require.Equal(t, 1, n)
	})
	keys := map[uint64]bool{}
	for _, first := range []string{"a", "b"} {
		passes(t, func(k *Task) {
			var o object
			k.Go(first, func(k *Task) { k.OwnStatic(&o.life, "static", "x"); keys[o.life.Key()] = true })
			if first == "a" {
				k.Go("b", func(*Task) {})
			}
			k.Explore()
		})
	}
	require.Len(t, keys, 1)
}

// Whether the object is there in a section depends on which of them began first.
func TestFreeRCUOrder(t *testing.T) {
	gives(t, set("true", "false"), func(k *Task, say func(string, ...any)) {
		o := newObject(k, 1)
		k.Go("reader", func(k *Task) {
			k.RCUReadLock()
			k.Step(opStep)
			k.Step(opStep)
			k.Touch(&o.life, sim.Read)
			say("%v", o.Alive())
			k.RCUReadUnlock()
		})
		k.Go("updater", func(k *Task) { k.Step(opStep); k.FreeRCU(&o.Mem) })
		k.Explore()
	})
}
