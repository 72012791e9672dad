package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func newRefcount(k *Task, n int32) *Refcount {
	r := &Refcount{}
	r.Init(k, nil, "r", n)
	return r
}

var refcountCases = cases{
	{"C-REF-01", func(t *testing.T) {
		fails(t, RefcountMisuse, "addition on 0; use-after-free: r", func(k *Task) { newRefcount(k, 0).Inc(k) })
	}},
	{"C-REF-03", func(t *testing.T) {
		fails(t, RefcountMisuse, "underflow; use-after-free: r", func(k *Task) {
			r := newRefcount(k, 1)
			require.True(t, r.DecAndTest(k))
			r.DecAndTest(k)
		})
	}},
	{"C-REF-05", func(t *testing.T) {
		passes(t, func(k *Task) {
			r := newRefcount(k, 0)
			require.False(t, r.IncNotZero(k))
			require.Zero(t, r.Peek())
		})
	}},
	{"C-REF-07", func(t *testing.T) {
		out := outcomes(t, func(k *Task, say func(string, ...any)) {
			r := newRefcount(k, 3)
			zeroes := 0
			for range 3 {
				k.Go("putter", func(k *Task) {
					if r.DecAndTest(k) {
						zeroes++
					}
				})
			}
			k.Explore()
			say("%d of %d", zeroes, r.Peek())
		})
		require.Equal(t, set("1 of 0"), out)
	}},
	{"C-KREF-02", func(t *testing.T) {
		// A lookup that may find an object which is going needs inc_not_zero.
		lookup := func(get func(r *Refcount, k *Task) bool) func(k *Task) {
			return func(k *Task) {
				r := newRefcount(k, 1)
				k.Go("putter", func(k *Task) { r.DecAndTest(k) })
				k.Go("finder", func(k *Task) {
					if get(r, k) {
						r.DecAndTest(k)
					}
				})
				k.Explore()
			}
		}
		always(t, lookup(func(r *Refcount, k *Task) bool { return r.IncNotZero(k) }))
		sometimes(t, RefcountMisuse, "addition on 0", lookup(func(r *Refcount, k *Task) bool { r.Inc(k); return true }))
	}},
}

// The putter that reaches zero frees; whoever still looks has a use after free.
func TestRefcountOfFreedObject(t *testing.T) {
	sometimes(t, UseAfterFree, "reader (task 2) uses object#1, which was freed by putter (task 1)", func(k *Task) {
		o := newObject(k, 1)
		var r Refcount
		r.Init(k, &o.Mem, "object.refs", 1)
		k.Go("putter", func(k *Task) {
			if r.DecAndTest(k) {
				k.Free(&o.Mem)
			}
		})
		k.Go("reader", func(k *Task) {
			k.Step(opStep)
			o.v.Get(k)
		})
		k.Explore()
	})
}
