package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
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
			if v := o.get(k); v != 1 && v != 2 {
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

var _ = conform(cases{
	{"C-RCU-01", func(t *testing.T) {
		always(t, replacing(func(k *Task, free func(*Task)) { k.SynchronizeRCU(); free(k) }))
		always(t, replacing(func(k *Task, free func(*Task)) { k.SynchronizeRCUExpedited(); free(k) }))
		always(t, replacing(func(k *Task, free func(*Task)) { k.CallRCU("free", free) }))
		sometimes(t, UseAfterFree, "reader (task 1) uses object#1, which was freed by updater (task 2)",
			raceless(replacing(func(k *Task, free func(*Task)) { free(k) })))
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
		for name, call := range map[string]func(k *Task){
			"mutex_lock(a) in": func(k *Task) {
				a, _ := twoMutexes(k)
				k.RCUReadLock()
				a.Lock(k)
			},
			"allocation(x) in": func(k *Task) {
				k.RCUReadLock()
				k.MayFail(GFP_KERNEL, "x")
			},
			"synchronize_rcu inside an RCU read section":           func(k *Task) { k.RCUReadLock(); k.SynchronizeRCU() },
			"synchronize_rcu_expedited inside an RCU read section": func(k *Task) { k.RCUReadLock(); k.SynchronizeRCUExpedited() },
			"rcu_barrier inside an RCU read section":               func(k *Task) { k.RCUReadLock(); k.RCUBarrier() },
			"kvfree_rcu_barrier inside an RCU read section":        func(k *Task) { k.RCUReadLock(); k.KvfreeRCUBarrier() },
			"cond_synchronize_rcu inside an RCU read section": func(k *Task) {
				s := k.StartPollSynchronizeRCU()
				k.RCUReadLock()
				k.CondSynchronizeRCU(s)
			},
			"synchronize_rcu in RCU callback context": func(k *Task) { k.CallRCU("callback", (*Task).SynchronizeRCU) },
			"rcu_barrier in RCU callback context":     func(k *Task) { k.CallRCU("callback", (*Task).RCUBarrier) },
		} {
			fails(t, Context, name, func(k *Task) {
				call(k)
				k.Explore()
			})
		}
	}},
	{"C-RCU-10", func(t *testing.T) {
		// Interrupts, softirqs or preemption off, and handlers: all are readers.
		sections := map[string][2]func(*Task){
			"preemption": {(*Task).PreemptDisable, (*Task).PreemptEnable},
			"interrupts": {(*Task).LocalIrqDisable, (*Task).LocalIrqEnable},
			"softirqs":   {(*Task).LocalBhDisable, (*Task).LocalBhEnable},
			"nothing":    {func(*Task) {}, func(*Task) {}},
		}
		body := func(start func(k *Task, fn func(*Task)), begin, end func(*Task)) func(k *Task) {
			return func(k *Task) {
				var p RCU[object]
				p.Init(k, nil, "p")
				o := newObject(k, 1)
				p.Assign(k, o)
				start(k, func(k *Task) {
					begin(k)
					if o := p.Access(k); o != nil {
						k.Step(opStep)
						o.get(k)
					}
					end(k)
				})
				k.Go("updater", func(k *Task) { p.Assign(k, nil); k.SynchronizeRCU(); k.Free(&o.Mem) })
				k.Explore()
			}
		}
		task := func(k *Task, fn func(*Task)) { k.Go("reader", fn) }
		for name, s := range sections {
			if name == "nothing" {
				sometimes(t, UseAfterFree, "reader (task 1) uses object#1", raceless(body(task, s[0], s[1])))
				continue
			}
			always(t, body(task, s[0], s[1]))
		}
		none := sections["nothing"]
		always(t, body(func(k *Task, fn func(*Task)) { k.Interrupt("irq", fn) }, none[0], none[1]))
		always(t, body(func(k *Task, fn func(*Task)) { k.Softirq("softirq", fn) }, none[0], none[1]))
	}},
	{"C-RCU-11", func(t *testing.T) {
		// Whatever the reader waits for, and be it by spinning, must not need the grace period.
		body := func(hold bool) func(k *Task) {
			return func(k *Task) {
				k.K.Lockdep.Off = true
				mu := &Mutex{}
				mu.Init(k, nil, "m")
				k.Go("reader", func(k *Task) {
					k.RCUReadLock()
					k.Step(opStep)
					k.Step(sim.Op{Verb: "spin until unlocked", Obj: &mu.obj, Class: sim.Read, Guard: mu})
					k.RCUReadUnlock()
				})
				k.Go("updater", func(k *Task) {
					mu.Lock(k)
					if hold {
						k.SynchronizeRCU()
					}
					mu.Unlock(k)
					k.SynchronizeRCU()
				})
				k.Explore()
			}
		}
		sometimes(t, sim.Deadlock, "reader waits for spin until unlocked m held by updater; updater waits for grace period rcu held by reader", body(true))
		always(t, body(false))
	}},
	{"C-RCU-12", func(t *testing.T) {
		// What a reader gets a reference of is still published when it looks again, or it
		// drops the reference and tries again.
		body := func(get func(k *Task, r *Refcount) bool, look bool) func(k *Task) {
			return func(k *Task) {
				type counted struct {
					object
					refs Refcount
				}
				var p RCU[counted]
				p.Init(k, nil, "p")
				publish := func(k *Task, v int) {
					o := &counted{}
					k.Alloc(GFP_ATOMIC, &o.Mem, "object")
					o.v.Init(k, &o.Mem, "object.v", v)
					o.refs.Init(k, &o.Mem, "refs", 1)
					p.Assign(k, o)
				}
				put := func(k *Task, o *counted) {
					if o.refs.DecAndTest(k) {
						k.CallRCU("free", func(k *Task) { k.Free(&o.Mem) })
					}
				}
				publish(k, 1)
				k.Go("reader", func(k *Task) {
					for {
						k.RCUReadLock()
						o := p.Dereference(k)
						if !get(k, &o.refs) {
							k.RCUReadUnlock()
							continue
						}
						if look && p.Access(k) != o {
							k.RCUReadUnlock()
							put(k, o)
							continue
						}
						k.Touch(&p.obj, sim.Read)
						if p.Peek() != o {
							k.BUG("the reference is to what is not published any more")
						}
						k.RCUReadUnlock()
						o.v.Get(k)
						put(k, o)
						return
					}
				})
				k.Go("updater", func(k *Task) {
					old := p.DereferenceProtected(k, true)
					publish(k, 2)
					put(k, old)
				})
				k.Explore()
				put(k, p.Peek())
			}
		}
		always(t, body(func(k *Task, r *Refcount) bool { return r.IncNotZero(k) }, true))
		sometimes(t, sim.Bug, "not published any more", body(func(k *Task, r *Refcount) bool { return r.IncNotZero(k) }, false))
		sometimes(t, RefcountMisuse, "", body(func(k *Task, r *Refcount) bool { r.Inc(k); return true }, true))
	}},
})

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

// A polled grace period that is over is a grace period; before that nothing is promised.
func TestPolledGracePeriods(t *testing.T) {
	always(t, replacing(func(k *Task, free func(*Task)) {
		if s := k.StartPollSynchronizeRCU(); !k.PollStateSynchronizeRCU(s) {
			k.CondSynchronizeRCU(s)
		}
		free(k)
	}))
	sometimes(t, UseAfterFree, "reader (task 1) uses object#1", raceless(replacing(func(k *Task, free func(*Task)) {
		k.PollStateSynchronizeRCU(k.StartPollSynchronizeRCU())
		free(k)
	})))
}

// rcu_access_pointer needs no section, and RCU_INIT_POINTER unpublishes.
func TestRCUPointerWithoutSection(t *testing.T) {
	passes(t, func(k *Task) {
		var p RCU[int]
		p.Init(k, nil, "p")
		p.Assign(k, new(int))
		require.NotNil(t, p.Access(k))
		p.InitPointer(k, nil)
		require.Nil(t, p.Access(k))
	})
}
