package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/internal/simtest"
	"dmasim/sim"
)

// unloading is a module whose callback uses the module's data, which is freed after wait.
func unloading(call func(k *Task, fn func(*Task)), wait func(k *Task)) func(k *Task) {
	return func(k *Task) {
		data := newObject(k, 1)
		k.Go("exit", func(k *Task) {
			k.Step(opStep)
			call(k, func(k *Task) { data.v.Get(k) })
			wait(k)
			k.Free(&data.Mem)
		})
		k.Go("reader", func(k *Task) {
			k.RCUReadLock()
			k.Step(opStep)
			k.Step(opStep)
			k.RCUReadUnlock()
		})
		k.Explore()
	}
}

func callRCU(k *Task, fn func(*Task)) { k.CallRCU("callback", fn) }

var _ = conform(cases{
	{"C-RCU-07", func(t *testing.T) {
		always(t, unloading(callRCU, (*Task).RCUBarrier))
		// A grace period is no barrier: callbacks may come later than its end.
		sometimes(t, UseAfterFree, "callback (task 1.1) uses object#1", unloading(callRCU, (*Task).SynchronizeRCU))

		// It waits for callbacks, not for readers: with none queued it returns at once.
		out := outcomes(t, func(k *Task, say func(string, ...any)) {
			inside, during := false, false
			k.Go("reader", func(k *Task) {
				k.RCUReadLock()
				k.Step(opStep)
				inside = true
				k.Step(opStep)
				inside = false
				k.RCUReadUnlock()
			})
			k.Go("barrier", func(k *Task) {
				k.RCUBarrier()
				during = inside
			})
			k.Explore()
			say("%v", during)
		})
		require.Equal(t, set("true", "false"), out)
	}},
	{"C-RCU-08", func(t *testing.T) {
		body := func(barrier func(k *Task)) func(k *Task) {
			return func(k *Task) {
				o := newObject(k, 1)
				k.Go("exit", func(k *Task) {
					k.KfreeRCU(&o.Mem)
					barrier(k)
					if o.Alive() {
						k.BUG("the object is still there")
					}
				})
				k.Go("other", func(k *Task) { k.Step(opStep) })
				k.Explore()
			}
		}
		sometimes(t, sim.Bug, "the object is still there", body((*Task).RCUBarrier))
		always(t, body((*Task).KvfreeRCUBarrier))
	}},
	{"C-RCU-09", func(t *testing.T) {
		// Five seconds are enough for a callback, and not for one that is lazy.
		body := func(wait func(k *Task, done *bool)) func(k *Task) {
			return func(k *Task) {
				k.K.RCULazy(true)
				k.Go("exit", func(k *Task) {
					done := false
					wait(k, &done)
					if !done {
						k.BUG("the callback has not run")
					}
				})
				k.Go("other", func(k *Task) { k.Step(opStep) })
				k.Explore()
			}
		}
		poll := func(k *Task, done *bool) {
			k.sleep(sim.Op{Verb: "poll", Obj: &k.K.rcu.Object, Class: sim.Read, Guard: when(func() bool { return *done })}, Uninterruptible, 5*HZ)
		}
		sometimes(t, sim.Bug, "the callback has not run", body(func(k *Task, done *bool) {
			k.CallRCU("callback", func(*Task) { *done = true })
			poll(k, done)
		}))
		always(t, body(func(k *Task, done *bool) {
			k.CallRCU("callback", func(*Task) { *done = true })
			k.RCUBarrier()
		}))
		always(t, body(func(k *Task, done *bool) {
			k.CallRCUHurry("callback", func(*Task) { *done = true })
			poll(k, done)
		}))
		// Without a limit even a lazy callback comes in the end.
		always(t, body(func(k *Task, done *bool) {
			k.CallRCU("callback", func(*Task) { *done = true })
			k.Await("wait", &k.K.rcu.Object, sim.Read, func() bool { return *done })
		}))
	}},
})

// rcu_barrier waits for the callbacks that it found, and for none that they queue.
func TestRCUBarrierAndRepostingCallback(t *testing.T) {
	out := outcomes(t, func(k *Task, say func(string, ...any)) {
		runs, found := 0, 0
		head := &RCUHead{}
		head.Init(k, nil, "head")
		k.Go("exit", func(k *Task) {
			var callback func(k *Task)
			callback = func(k *Task) {
				if runs++; runs < 2 {
					head.Call(k, callback) // the head is free again by now
				}
			}
			head.Call(k, callback)
			k.RCUBarrier()
			found = runs
		})
		k.Explore()
		say("%d %d", found, runs)
	})
	require.Equal(t, set("1 2", "2 2"), out)
}

func TestRCUHeadQueuedTwice(t *testing.T) {
	twice := func(wait bool) func(k *Task) {
		return func(k *Task) {
			o := &struct {
				object
				head RCUHead
			}{}
			k.Alloc(GFP_KERNEL, &o.Mem, "object")
			o.head.Init(k, &o.Mem, "head")
			k.Go("one", func(k *Task) {
				o.head.Call(k, func(*Task) {})
				if wait {
					k.RCUBarrier()
				}
				o.head.CallHurry(k, func(k *Task) { k.Free(&o.Mem) })
			})
			k.Explore()
		}
	}
	sometimes(t, DoubleFree, "double-freed CB: head is queued already", twice(false))
	always(t, twice(true))
}

func TestRCUHeadFreedWhileQueued(t *testing.T) {
	body := func(wait func(k *Task)) func(k *Task) {
		return func(k *Task) {
			o := &struct {
				object
				head RCUHead
			}{}
			k.Alloc(GFP_KERNEL, &o.Mem, "object")
			o.head.Init(k, &o.Mem, "head")
			k.Go("task", func(k *Task) {
				o.head.Call(k, func(*Task) {})
				wait(k)
				k.Free(&o.Mem)
			})
			k.Explore()
		}
	}
	sometimes(t, UseAfterFree, "free active object: rcu_head head of object#1 is queued", body(func(*Task) {}))
	sometimes(t, UseAfterFree, "free active object: rcu_head head of object#1 is queued", body((*Task).SynchronizeRCU))
	always(t, body((*Task).RCUBarrier))
}

func TestKfreeRCU(t *testing.T) {
	freeing := func(free func(k *Task, m *Mem)) func(k *Task) {
		return func(k *Task) {
			var p RCU[object]
			p.Init(k, nil, "p")
			o := newObject(k, 1)
			p.Assign(k, o)
			k.Go("reader", func(k *Task) {
				k.RCUReadLock()
				if o := p.Dereference(k); o != nil {
					k.Step(opStep)
					o.get(k)
				}
				k.RCUReadUnlock()
			})
			k.Go("updater", func(k *Task) { p.Assign(k, nil); free(k, &o.Mem) })
			k.Explore()
		}
	}
	always(t, freeing((*Task).KfreeRCU))
	always(t, freeing((*Task).KfreeRCUMightsleep))
	sometimes(t, UseAfterFree, "uses object#1", raceless(freeing((*Task).Free)))
	always(t, freeing(func(k *Task, m *Mem) { k.Interrupt("irq", func(k *Task) { k.KfreeRCU(m) }) }))

	// The object is as good as gone: freeing it again is reported, however that is done.
	fails(t, sim.Warn, "double-freed call of object#1", freeing(func(k *Task, m *Mem) { k.KfreeRCU(m); k.KfreeRCU(m) }))
	sometimes(t, DoubleFree, "object#1 freed again", freeing(func(k *Task, m *Mem) { k.KfreeRCU(m); k.SynchronizeRCU(); k.Free(m) }))
}

// A callback waits for the section that it was queued in, also if that has done nothing
// yet.
func TestCallRCUInsideYoungSection(t *testing.T) {
	always(t, func(k *Task) {
		k.Go("reader", func(k *Task) {
			called := false
			k.Step(opStep)
			k.RCUReadLock()
			k.CallRCU("callback", func(*Task) { called = true })
			k.Step(opStep)
			if called {
				k.BUG("the callback ran inside the section that it was queued in")
			}
			k.RCUReadUnlock()
		})
		k.Go("other", func(k *Task) { k.Step(opStep) })
		k.Explore()
	})
}

// Whether kvfree_rcu_barrier waits for an object depends on which of the calls came first.
func TestKvfreeRCUBarrierOrder(t *testing.T) {
	gives(t, set("true", "false"), func(k *Task, say func(string, ...any)) {
		o, freed := newObject(k, 1), simtest.NewVar(k, false)
		o.freeCheck(func(k *Task) { freed.Set(k, true) })
		k.Go("updater", func(k *Task) { k.KfreeRCU(&o.Mem) })
		k.Go("barrier", func(k *Task) {
			k.KvfreeRCUBarrier()
			say("%v", freed.Get(k))
		})
		k.Explore()
	})
}

// A head is free again when its callback is called.
func TestRCUHeadInCallback(t *testing.T) {
	gives(t, set("true", "false"), func(k *Task, say func(string, ...any)) {
		var head RCUHead
		head.Init(k, nil, "head")
		k.Go("task", func(k *Task) {
			head.Call(k, func(*Task) {})
			k.Step(opStep)
			k.Touch(&head.obj, sim.Read)
			say("%v", head.queued)
		})
		k.Explore()
	})
}
