package kernel

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

func newRefcount(k *Task, n int32) *Refcount {
	r := &Refcount{}
	r.Init(k, nil, "r", n)
	return r
}

// refcountOps are calls on a count, and what they return.
var refcountOps = map[string]func(r *Refcount, k *Task) bool{
	"inc":           func(r *Refcount, k *Task) bool { r.Inc(k); return false },
	"add 2":         func(r *Refcount, k *Task) bool { r.Add(k, 2); return false },
	"inc_not_zero":  func(r *Refcount, k *Task) bool { return r.IncNotZero(k) },
	"add_not_zero":  func(r *Refcount, k *Task) bool { return r.AddNotZero(k, 2) },
	"dec":           func(r *Refcount, k *Task) bool { r.Dec(k); return false },
	"dec_and_test":  func(r *Refcount, k *Task) bool { return r.DecAndTest(k) },
	"sub_and_test":  func(r *Refcount, k *Task) bool { return r.SubAndTest(k, 2) },
	"dec_if_one":    func(r *Refcount, k *Task) bool { return r.DecIfOne(k) },
	"dec_not_one":   func(r *Refcount, k *Task) bool { return r.DecNotOne(k) },
	"set 1":         func(r *Refcount, k *Task) bool { r.Set(k, 1); return false },
	"read is above": func(r *Refcount, k *Task) bool { return r.Read(k) > 0 },
}

// counted runs one call on a count of n.
func counted(t *testing.T, op string, n int32) (after int32, result bool, f *sim.Failure) {
	require.Contains(t, refcountOps, op)
	f = on.Run(func(k *Task) {
		r := newRefcount(k, n)
		result = refcountOps[op](r, k)
		after = r.Peek()
	})
	return after, result, f
}

const pinned = RefcountSaturated

// The table of operations: what they do to a count, what they return, and what they warn of.
func TestRefcountOperations(t *testing.T) {
	const (
		silent = ""
		onZero = "addition on 0; use-after-free"
		leak   = "saturated; leaking memory"
		under  = "underflow; use-after-free"
		hit0   = "decrement hit 0; leaking memory"
	)
	for _, c := range []struct {
		op     string
		n      int32
		after  int32
		result bool
		warns  string
	}{
		{"inc", 1, 2, false, silent},
		{"inc", 0, pinned, false, onZero},
		{"inc", RefcountMax, pinned, false, leak},
		{"inc", pinned, pinned, false, leak},
		{"add 2", 1, 3, false, silent},
		{"add 2", RefcountMax - 2, RefcountMax, false, silent},
		{"add 2", RefcountMax - 1, pinned, false, leak},
		{"inc_not_zero", 1, 2, true, silent},
		{"inc_not_zero", 0, 0, false, silent},
		{"inc_not_zero", RefcountMax, pinned, true, leak},
		{"inc_not_zero", pinned, pinned, true, leak},
		{"add_not_zero", 5, 7, true, silent},
		{"add_not_zero", 0, 0, false, silent},
		{"add_not_zero", RefcountMax - 1, pinned, true, leak},
		{"dec", 2, 1, false, silent},
		{"dec", 1, pinned, false, hit0},
		{"dec", 0, pinned, false, hit0},
		{"dec", pinned, pinned, false, hit0},
		{"dec_and_test", 2, 1, false, silent},
		{"dec_and_test", 1, 0, true, silent},
		{"dec_and_test", 0, pinned, false, under},
		{"dec_and_test", pinned, pinned, false, under},
		{"dec_and_test", math.MinInt32, pinned, false, under},
		{"sub_and_test", 3, 1, false, silent},
		{"sub_and_test", 2, 0, true, silent},
		{"sub_and_test", 1, pinned, false, under},
		{"dec_if_one", 1, 0, true, silent},
		{"dec_if_one", 2, 2, false, silent},
		{"dec_if_one", 0, 0, false, silent},
		{"dec_not_one", 2, 1, true, silent},
		{"dec_not_one", 1, 1, false, silent},
		{"dec_not_one", 0, 0, true, under},
		{"dec_not_one", pinned, pinned, true, silent},
		{"set 1", pinned, 1, false, silent},
		{"read is above", 1, 1, true, silent},
		{"read is above", 0, 0, false, silent},
	} {
		after, result, f := counted(t, c.op, c.n)
		require.Equal(t, c.after, after, "%s of %d", c.op, c.n)
		require.Equal(t, c.result, result, "%s of %d", c.op, c.n)
		if c.warns == silent {
			require.Nil(t, f, "%s of %d", c.op, c.n)
			continue
		}
		require.NotNil(t, f, "%s of %d", c.op, c.n)
		require.Equal(t, RefcountMisuse, f.Kind)
		require.Equal(t, "refcount_t: "+c.warns+": r", f.Message)
	}
}

// deletion is a user of an object that is in a table, and another that takes it out.
func deletion(put func(k *Task, r *Refcount, mu *Mutex) bool) func(k *Task) {
	return func(k *Task) {
		var mu Mutex
		mu.Init(k, nil, "table")
		o := newObject(k, 1)
		var r Refcount
		r.Init(k, &o.Mem, "object.refs", 2)
		listed := true
		for range 2 {
			k.Go("user", func(k *Task) {
				if put(k, &r, &mu) {
					listed = false
					k.Free(&o.Mem)
					mu.Unlock(k)
				}
			})
		}
		k.Go("finder", func(k *Task) {
			mu.Lock(k)
			if listed { // the table's lock keeps the count above zero
				r.Inc(k)
				mu.Unlock(k)
				if put(k, &r, &mu) {
					listed = false
					k.Free(&o.Mem)
					mu.Unlock(k)
				}
				return
			}
			mu.Unlock(k)
		})
		k.Explore()
	}
}

var _ = conform(cases{
	{"C-REF-01", func(t *testing.T) {
		after := int32(0)
		f := fails(t, RefcountMisuse, "refcount_t: addition on 0; use-after-free: r", func(k *Task) {
			r := newRefcount(k, 0)
			r.Inc(k)
			require.EqualValues(t, RefcountSaturated, r.Peek())
			for range 3 {
				require.False(t, r.DecAndTest(k))
			}
			after = r.Peek()
		})
		require.EqualValues(t, RefcountSaturated, after, "the run goes on")
		require.Contains(t, f.Detail[0], "in_atomic(): 0")
	}},
	{"C-REF-02", func(t *testing.T) {
		fails(t, RefcountMisuse, "refcount_t: decrement hit 0; leaking memory: r", func(k *Task) {
			r := newRefcount(k, 2)
			r.Dec(k)
			require.EqualValues(t, 1, r.Peek())
			r.Dec(k)
			require.EqualValues(t, RefcountSaturated, r.Peek())
		})
	}},
	{"C-REF-03", func(t *testing.T) {
		fails(t, RefcountMisuse, "underflow; use-after-free: r", func(k *Task) {
			r := newRefcount(k, 1)
			require.True(t, r.DecAndTest(k))
			require.False(t, r.DecAndTest(k))
			require.EqualValues(t, RefcountSaturated, r.Peek())
		})
	}},
	{"C-REF-04", func(t *testing.T) {
		fails(t, RefcountMisuse, "saturated; leaking memory: r", func(k *Task) {
			r := newRefcount(k, RefcountMax)
			r.Inc(k)
			require.EqualValues(t, RefcountSaturated, r.Peek())
			require.True(t, r.IncNotZero(k))
			require.EqualValues(t, RefcountSaturated, r.Peek())
		})
		// Two that only together go beyond it.
		sometimes(t, RefcountMisuse, "saturated; leaking memory: r", func(k *Task) {
			r := newRefcount(k, RefcountMax-1)
			for range 2 {
				k.Go("getter", func(k *Task) { r.Inc(k) })
			}
			k.Explore()
			require.EqualValues(t, RefcountSaturated, r.Peek())
		})
	}},
	{"C-REF-05", func(t *testing.T) {
		passes(t, func(k *Task) {
			r := newRefcount(k, 0)
			require.False(t, r.IncNotZero(k))
			require.Zero(t, r.Peek())
		})
	}},
	{"C-REF-06", func(t *testing.T) {
		out := outcomes(t, func(k *Task, say func(string, ...any)) {
			r := newRefcount(k, 3)
			var written [3]Field[int]
			for i := range written {
				k.Go("putter", func(k *Task) {
					k.Step(opStep)
					written[i].Set(k, i+1)
					if r.DecAndTest(k) {
						say("%d %d %d", written[0].Get(k), written[1].Get(k), written[2].Get(k))
					}
				})
			}
			k.Explore()
		})
		require.Equal(t, set("1 2 3"), out)
	}},
	{"C-REF-07", func(t *testing.T) {
		out := outcomes(t, func(k *Task, say func(string, ...any)) {
			r := newRefcount(k, 2)
			zeroes := 0
			for range 2 {
				k.Go("user", func(k *Task) {
					r.Inc(k)
					for range 2 {
						if r.DecAndTest(k) {
							zeroes++
						}
					}
				})
			}
			k.Explore()
			say("%d of %d", zeroes, r.Peek())
		})
		require.Equal(t, set("1 of 0"), out)
	}},
	{"C-REF-08", func(t *testing.T) {
		var mu Mutex
		put := func(k *Task, n int32) (bool, int32) {
			mu = Mutex{}
			mu.Init(k, nil, "mu")
			r := newRefcount(k, n)
			return r.DecAndMutexLock(k, &mu), r.Peek()
		}
		passes(t, func(k *Task) {
			last, n := put(k, 2)
			require.False(t, last)
			require.EqualValues(t, 1, n)
			require.False(t, mu.Held(k))
			last, n = put(k, 1)
			require.True(t, last)
			require.Zero(t, n)
			require.True(t, mu.Held(k))
			mu.Unlock(k)
		})
		passes(t, func(k *Task) { // not even looked at
			k.PreemptDisable()
			put(k, 2)
			k.PreemptEnable()
		})
		fails(t, Context, "mutex_lock(mu)", func(k *Task) {
			k.PreemptDisable()
			put(k, 1)
		})
		always(t, deletion(func(k *Task, r *Refcount, mu *Mutex) bool { return r.DecAndMutexLock(k, mu) }))
		// With the lock taken after the count fell, a finder sees the object at zero.
		sometimes(t, RefcountMisuse, "addition on 0", deletion(func(k *Task, r *Refcount, mu *Mutex) bool {
			if !r.DecAndTest(k) {
				return false
			}
			mu.Lock(k)
			return true
		}))
	}},
})

// The same with a spinlock, which the caller may hold in atomic context.
func TestRefcountDecAndLock(t *testing.T) {
	passes(t, func(k *Task) {
		var l Spinlock
		l.Init(k, nil, "l")
		r := newRefcount(k, 2)
		require.False(t, r.DecAndLock(k, &l))
		require.False(t, l.Held(k))
		require.True(t, r.DecAndLock(k, &l))
		require.True(t, l.Held(k))
		l.Unlock(k)

		r = newRefcount(k, 2)
		last, _ := r.DecAndLockIrqsave(k, &l)
		require.False(t, last)
		require.False(t, k.IrqsDisabled())
		last, flags := r.DecAndLockIrqsave(k, &l)
		require.True(t, last)
		require.True(t, l.Held(k))
		require.True(t, k.IrqsDisabled())
		l.UnlockIrqrestore(k, flags)
		require.False(t, k.IrqsDisabled())
	})
	// One who gets a reference between the look and the lock keeps the object.
	out := outcomes(t, func(k *Task, say func(string, ...any)) {
		var l Spinlock
		l.Init(k, nil, "l")
		r := newRefcount(k, 1)
		var last, irq bool
		k.Go("putter", func(k *Task) {
			if last = r.DecAndLock(k, &l); last {
				l.Unlock(k)
			}
			if l.Held(k) {
				k.BUG("the lock is held")
			}
		})
		k.Go("getter", func(k *Task) { irq = r.IncNotZero(k) })
		k.Explore()
		say("%v %v %d", last, irq, r.Peek())
	})
	require.Equal(t, set("true false 0", "false true 1"), out)
}

// A message comes once, whatever count it is about, and the run goes on.
func TestRefcountWarnsOnce(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	m.Trace(true)
	r := m.Run(sim.Default{}, on.Body(func(k *Task) {
		for range 3 {
			newRefcount(k, 0).Inc(k)
			newRefcount(k, 0).DecAndTest(k)
		}
	}))
	require.Contains(t, r.Failure.Message, "addition on 0")
	var said []string
	for _, row := range m.Rows() {
		if row.Key {
			said = append(said, row.Text)
		}
	}
	require.Equal(t, []string{"refcount_t: addition on 0; use-after-free: r", "refcount_t: underflow; use-after-free: r"}, said)
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
			o.get(k)
		})
		k.Explore()
	})
}
