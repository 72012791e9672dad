package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

var memoryCases = cases{
	{"C-MEM-01", func(t *testing.T) {
		for _, gfp := range []GFP{GFP_KERNEL, GFP_NOIO, GFP_NOFS} {
			fails(t, Context, "allocation(object) in hardirq context (irq)", func(k *Task) {
				k.Interrupt("irq", func(k *Task) { k.Alloc(gfp, &Mem{}, "object") })
				k.Explore()
			})
		}
		for _, gfp := range []GFP{GFP_ATOMIC, GFP_NOWAIT} {
			passes(t, func(k *Task) {
				k.Interrupt("irq", func(k *Task) {
					var m Mem
					require.Equal(t, OK, k.Alloc(gfp, &m, "object"))
					k.Free(&m)
				})
				k.Explore()
			})
		}
	}},
	{"C-MEM-05", func(t *testing.T) { injected(t, GFP_ATOMIC) }},
	{"C-MEM-06", func(t *testing.T) { injected(t, GFP_KERNEL) }},
}

// injected makes the n-th allocation of a site fail, counted from the call, and no
// other.
func injected(t *testing.T, gfp GFP) {
	for n := 1; n <= 3; n++ {
		passes(t, func(k *Task) {
			k.MayFail(gfp, "site") // before the call, and so not counted
			k.K.FailAlloc("site", n)
			for i := 1; i <= 4; i++ {
				want := OK
				if i == n {
					want = ENOMEM
				}
				require.Equal(t, OK, k.MayFail(gfp, "other site"))
				var m Mem
				require.Equal(t, want, k.Alloc(gfp, &m, "site"))
				require.Equal(t, want == OK, m.Alive())
				if want == OK {
					k.Free(&m)
				}
			}
		})
	}
}

// What is complained of names the object, and where it was allocated and freed.
func TestMemoryMisuse(t *testing.T) {
	for _, c := range []struct {
		kind    sim.Kind
		message string
		body    func(k *Task, first, second *Mem)
	}{
		{UseAfterFree, "init (task 0) uses thing#2, which was freed by init (task 0)",
			func(k *Task, first, second *Mem) { k.Free(first); k.Free(second); k.Use(second) }},
		{DoubleFree, "thing#1 freed again by init (task 0); it was freed by init (task 0)",
			func(k *Task, first, second *Mem) { k.Free(first); k.Free(second); k.Free(first) }},
		{Leak, "thing#2 was never freed; allocated by init (task 0)",
			func(k *Task, first, second *Mem) { k.Free(first) }},
		{sim.Misuse, "Free of an object that was not allocated", func(k *Task, first, second *Mem) { k.Free(&Mem{}) }},
	} {
		fails(t, c.kind, c.message, func(k *Task) {
			var first, second Mem
			k.Alloc(GFP_KERNEL, &first, "thing")
			k.Alloc(GFP_KERNEL, &second, "thing")
			c.body(k, &first, &second)
		})
	}
	// Steps are counted in the explored phase.
	fails(t, UseAfterFree, "which was freed by one (task 1) at step 2 (allocated by one (task 1) at step 1)", func(k *Task) {
		k.Go("one", func(k *Task) {
			o := newObject(k, 0)
			k.Step(opStep)
			k.Free(&o.Mem)
			o.v.Get(k)
		})
		k.Explore()
	})
	f := on.Run(func(k *Task) {
		for range 3 {
			k.Alloc(GFP_KERNEL, &Mem{}, "thing")
		}
	})
	require.Len(t, f.Detail, 2, "every leak is told")
	require.Contains(t, f.Detail[1], "nor was thing#3")
	passes(t, func(k *Task) { k.Use(nil); k.Use(&Mem{}) }) // static storage lives for ever
}

// Every primitive that is part of an object notices that the object is gone.
func TestPrimitivesInFreedObject(t *testing.T) {
	uses := map[string]func(k *Task, m *Mem) func(*Task){
		"mutex_lock": func(k *Task, m *Mem) func(*Task) {
			var x Mutex
			x.Init(k, m, "x")
			return x.Lock
		},
		"mutex_trylock": func(k *Task, m *Mem) func(*Task) {
			var x Mutex
			x.Init(k, m, "x")
			return func(k *Task) { x.Trylock(k) }
		},
		"ww_mutex_lock": func(k *Task, m *Mem) func(*Task) {
			var x WWMutex
			x.Init(k, m, "x")
			return func(k *Task) { x.Lock(k, nil) }
		},
		"refcount_inc": func(k *Task, m *Mem) func(*Task) {
			var x Refcount
			x.Init(k, m, "x", 1)
			return x.Inc
		},
		"refcount_inc_not_zero": func(k *Task, m *Mem) func(*Task) {
			var x Refcount
			x.Init(k, m, "x", 1)
			return func(k *Task) { x.IncNotZero(k) }
		},
		"percpu_ref_get": func(k *Task, m *Mem) func(*Task) {
			var x PercpuRef
			x.Init(k, m, "x", GFP_KERNEL, nil)
			return x.Get
		},
		"percpu_ref_exit": func(k *Task, m *Mem) func(*Task) {
			var x PercpuRef
			x.Init(k, m, "x", GFP_KERNEL, nil)
			return x.Exit
		},
		"rcu_assign_pointer": func(k *Task, m *Mem) func(*Task) {
			var x RCU[int]
			x.Init(k, m, "x")
			return func(k *Task) { x.Assign(k, nil) }
		},
		"rcu_dereference": func(k *Task, m *Mem) func(*Task) {
			var x RCU[int]
			x.Init(k, m, "x")
			return func(k *Task) { k.RCUReadLock(); x.Dereference(k) }
		},
		"complete": func(k *Task, m *Mem) func(*Task) {
			var x Completion
			x.Init(k, m, "x")
			return x.Complete
		},
		"complete_all": func(k *Task, m *Mem) func(*Task) {
			var x Completion
			x.Init(k, m, "x")
			return x.CompleteAll
		},
		"queue_work": func(k *Task, m *Mem) func(*Task) {
			var x Work
			x.Init(k, m, "x", nil)
			return func(k *Task) { k.K.SystemWq.Queue(k, &x) }
		},
		"load": func(k *Task, m *Mem) func(*Task) {
			var x Shared[int]
			x.Init(k, m, "x", 0)
			return func(k *Task) { x.Load(k) }
		},
		"store": func(k *Task, m *Mem) func(*Task) {
			var x Shared[int]
			x.Init(k, m, "x", 0)
			return func(k *Task) { x.Store(k, 1) }
		},
		"rmw": func(k *Task, m *Mem) func(*Task) {
			var x Shared[int]
			x.Init(k, m, "x", 0)
			return func(k *Task) { x.Update(k, func(v int) int { return v }) }
		},
		"await": func(k *Task, m *Mem) func(*Task) {
			var x Shared[int]
			x.Init(k, m, "x", 0)
			return func(k *Task) { x.Await(k, "await", func(int) bool { return true }) }
		},
		"field get": func(k *Task, m *Mem) func(*Task) {
			var x Field[int]
			x.Init(m, 0)
			return func(k *Task) { x.Get(k) }
		},
		"field set": func(k *Task, m *Mem) func(*Task) {
			var x Field[int]
			x.Init(m, 0)
			return func(k *Task) { x.Set(k, 1) }
		},
	}
	for name, make := range uses {
		t.Run(name, func(t *testing.T) {
			fails(t, UseAfterFree, "uses thing#1, which was freed", func(k *Task) {
				var m Mem
				k.Alloc(GFP_KERNEL, &m, "thing")
				use := make(k, &m)
				k.Free(&m)
				use(k)
			})
		})
	}
}
