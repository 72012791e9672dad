package kernel

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

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
		var once Mem // freed, and of no interest when it is allocated again
		k.Alloc(GFP_KERNEL, &once, "once")
		k.Free(&once)
		k.Alloc(GFP_KERNEL, &once, "once")
		k.Free(&once)
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
			x.Init(k, m, k.WWClass("resv", WaitDie), "x")
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
			x.Init(k, m, "x", 0)
			return func(k *Task) { x.Get(k) }
		},
		"field set": func(k *Task, m *Mem) func(*Task) {
			var x Field[int]
			x.Init(k, m, "x", 0)
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

// When the run is traced, a failure tells who allocated and who freed the object, through
// which calls.
func TestMemoryMisuseTraced(t *testing.T) {
	m := sim.NewMachine()
	m.Trace(true)
	defer m.Close()
	f := m.Run(sim.Default{}, on.Body(func(k *Task) {
		o := newObject(k, 0)
		freeObject(k, o)
		k.Use(&o.Mem)
	})).Failure
	require.Equal(t, UseAfterFree, f.Kind)
	detail := strings.Join(f.Detail, "\n")
	require.Contains(t, detail, "object#1 was allocated by init (task 0) during set-up\n  Call trace: kernel.(*Task).Alloc <- kernel.newObject <- ")
	require.Contains(t, detail, "object#1 was freed by init (task 0) during set-up\n  Call trace: kernel.(*Task).Free <- kernel.freeObject <- ")
	f = m.Run(sim.Default{}, on.Body(func(k *Task) { newObject(k, 0) })).Failure
	require.Equal(t, Leak, f.Kind)
	require.Contains(t, f.Detail[0], "Call trace: kernel.(*Task).Alloc <- kernel.newObject")
}

func freeObject(k *Task, o *object) { k.Free(&o.Mem) }

// An object is not freed while a part of it says that it is in use.
func TestFreeCheck(t *testing.T) {
	busy := func(k *Task, m *Mem, inUse bool) {
		k.Alloc(GFP_KERNEL, m, "thing")
		m.freeCheck(func(k *Task) {
			if inUse {
				k.misuse("freed in use")
			}
		})
		k.Free(m)
	}
	fails(t, sim.Misuse, "freed in use", func(k *Task) { busy(k, &Mem{}, true) })
	passes(t, func(k *Task) {
		m := &Mem{}
		busy(k, m, false)
		k.Alloc(GFP_KERNEL, m, "thing") // another life, without the check
		k.Free(m)
	})
}

// A use that races with the free is found, and one that is ordered before it is not.
func TestUseAfterFreeRace(t *testing.T) {
	race := func(ordered bool) func(k *Task) {
		return func(k *Task) {
			o, used := newObject(k, 1), &Completion{}
			used.Init(k, nil, "used")
			k.Go("user", func(k *Task) {
				k.Use(&o.Mem)
				used.Complete(k)
			})
			k.Go("freer", func(k *Task) {
				if ordered {
					used.Wait(k)
				}
				k.Step(opStep)
				k.Free(&o.Mem)
			})
			k.Explore()
		}
	}
	always(t, race(true))
	sometimes(t, UseAfterFree, "user (task 1) uses object#1, which was freed by freer (task 2)", race(false))
}
