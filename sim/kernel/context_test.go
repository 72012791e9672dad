package kernel

import (
	"testing"

	"dmasim/sim"
)

// sleepers are the calls that may sleep; none of them would have to here.
var sleepers = map[string]func(k *Task) func(*Task){
	"mutex_lock": func(k *Task) func(*Task) {
		mu := &Mutex{}
		mu.Init(k, nil, "m")
		return mu.Lock
	},
	"ww_mutex_lock": func(k *Task) func(*Task) {
		w := &WWMutex{}
		w.Init(k, nil, k.WWClass("resv", WaitDie), "w")
		return func(k *Task) { w.Lock(k, nil) }
	},
	"wait_for_completion": func(k *Task) func(*Task) {
		c := &Completion{}
		c.Init(k, nil, "c")
		c.Complete(k)
		return c.Wait
	},
	"flush_work": func(k *Task) func(*Task) {
		w := &Work{}
		w.Init(k, nil, "w", func(*Task) {})
		return func(k *Task) { w.Flush(k) }
	},
	"allocation": func(k *Task) func(*Task) {
		return func(k *Task) { k.MayFail(GFP_NOIO, "x") }
	},
	"wait": func(k *Task) func(*Task) {
		return func(k *Task) { k.WaitTaskWork() }
	},
	"synchronize_rcu": func(k *Task) func(*Task) { return (*Task).SynchronizeRCU },
}

var _ = conform(cases{
	{"C-CTX-01", func(t *testing.T) {
		for name, sleeper := range sleepers {
			t.Run(name+" in hardirq", func(t *testing.T) {
				fails(t, Context, "sleeping function called from invalid context: "+name, func(k *Task) {
					k.Interrupt("irq", sleeper(k))
					k.Explore()
				})
			})
			t.Run(name+" in softirq", func(t *testing.T) {
				fails(t, Context, "in softirq context", func(k *Task) {
					k.Softirq("softirq", sleeper(k))
					k.Explore()
				})
			})
			for where, enter := range map[string]func(k *Task){
				"a section with interrupts off": (*Task).LocalIrqDisable,
				"a section with softirqs off":   (*Task).LocalBhDisable,
				"an atomic section":             (*Task).PreemptDisable,
			} {
				t.Run(name+" in "+where, func(t *testing.T) {
					fails(t, Context, name, func(k *Task) {
						f := sleeper(k)
						enter(k)
						f(k)
					})
				})
			}
			t.Run(name+" in an RCU callback", func(t *testing.T) {
				fails(t, Context, "in RCU callback context", func(k *Task) {
					k.CallRCU("callback", sleeper(k))
					k.Explore()
				})
			})
			t.Run(name+" in a read section", func(t *testing.T) {
				fails(t, Context, "RCU read section", func(k *Task) {
					f := sleeper(k)
					k.RCUReadLock()
					f(k)
				})
			})
			if name == "wait" {
				continue // it would have to sleep
			}
			t.Run(name+" in a task and in a worker", func(t *testing.T) {
				passes(t, func(k *Task) {
					f := sleeper(k)
					unlocked := func(k *Task) {
						f(k)
						k.held = nil // a lock that was taken is not the subject
					}
					k.Kthread("kworker", sim.Op{Verb: "run"}, unlocked)
					if name != "wait_for_completion" && name != "mutex_lock" && name != "ww_mutex_lock" {
						k.Go("task", unlocked)
					}
					k.Explore()
				})
			})
		}
	}},
	{"C-CTX-02", func(t *testing.T) {
		fails(t, Context, "mutex_unlock(m) in hardirq context", func(k *Task) {
			mu := &Mutex{}
			mu.Init(k, nil, "m")
			k.Interrupt("irq", mu.Unlock)
			k.Explore()
		})
		fails(t, Context, "mutex_trylock(m) in softirq context", func(k *Task) {
			mu := &Mutex{}
			mu.Init(k, nil, "m")
			k.Softirq("softirq", func(k *Task) { mu.Trylock(k) })
			k.Explore()
		})
		fails(t, Context, "ww_mutex_trylock(w) in hardirq context", func(k *Task) {
			w := &WWMutex{}
			w.Init(k, nil, k.WWClass("resv", WaitDie), "w")
			k.Interrupt("irq", func(k *Task) { w.Trylock(k) })
			k.Explore()
		})
	}},
	{"C-CTX-03", func(t *testing.T) {
		// Not at the queueing, but when the function returns.
		for _, leak := range []struct {
			message string
			take    func(k *Task, mu *Mutex)
		}{
			{"kworker/events returned with locks held: m (taken", func(k *Task, mu *Mutex) { mu.Lock(k) }},
			{"kworker/events returned with locks held: l (taken", func(k *Task, _ *Mutex) {
				l := &Spinlock{}
				l.Init(k, nil, "l")
				l.Lock(k)
			}},
			{"returned with preemption disabled 1 time(s)", func(k *Task, _ *Mutex) { k.PreemptDisable() }},
			{"returned with interrupts disabled", func(k *Task, _ *Mutex) { k.LocalIrqDisable() }},
			{"kworker/events returned inside 2 RCU read section(s)", func(k *Task, _ *Mutex) { k.RCUReadLock(); k.RCUReadLock() }},
		} {
			fails(t, Context, leak.message, func(k *Task) {
				mu, w := &Mutex{}, &Work{}
				mu.Init(k, nil, "m")
				w.Init(k, nil, "w", func(k *Task) { leak.take(k, mu) })
				k.K.SystemWq.Queue(k, w)
				k.Explore()
			})
		}
	}},
	{"C-CTX-04", func(t *testing.T) {
		// Neither the deadlock nor even an interrupt that comes at the wrong time has to
		// happen.
		contexts := map[string]func(k *Task, f func(*Task)){
			"hardirq": func(k *Task, f func(*Task)) { k.Interrupt("irq", f) },
			"softirq": func(k *Task, f func(*Task)) { k.Softirq("softirq", f) },
		}
		plain := func(k *Task, l *Spinlock) { l.Lock(k); l.Unlock(k) }
		irqsave := func(k *Task, l *Spinlock) { l.UnlockIrqrestore(k, l.LockIrqsave(k)) }
		irq := func(k *Task, l *Spinlock) { l.LockIrq(k); l.UnlockIrq(k) }
		bh := func(k *Task, l *Spinlock) { l.LockBh(k); l.UnlockBh(k) }
		trying := func(k *Task, l *Spinlock) {
			if l.Trylock(k) {
				l.Unlock(k)
			}
		}
		both := func(in string, handler, task func(k *Task, l *Spinlock)) func(k *Task) {
			return func(k *Task) {
				l := &Spinlock{}
				l.Init(k, nil, "l")
				contexts[in](k, func(k *Task) { handler(k, l) })
				k.Go("task", func(k *Task) { task(k, l) })
				k.Explore()
			}
		}
		for in := range contexts {
			always(t, both(in, plain, irqsave))
			always(t, both(in, plain, irq))
			always(t, both(in, trying, plain)) // does not wait for whom it interrupts
			everywhere(t, LockOrder, "inconsistent lock state: l is taken in "+in+" context, and elsewhere with "+in+"s enabled", both(in, plain, plain))
		}
		always(t, both("softirq", plain, bh))
		everywhere(t, LockOrder, "in hardirq context", both("hardirq", plain, bh))
		// A trylock is interrupted while it holds the lock, as any.
		fails(t, LockOrder, "in hardirq context", both("hardirq", plain, trying))
		// So is a lock that is still held when interrupts are enabled.
		fails(t, LockOrder, "in hardirq context", both("hardirq", plain, func(k *Task, l *Spinlock) {
			flags := k.LocalIrqSave()
			l.Lock(k)
			k.LocalIrqRestore(flags)
			l.Unlock(k)
		}))
		// Handlers of one kind do not interrupt each other.
		always(t, func(k *Task) {
			l := &Spinlock{}
			l.Init(k, nil, "l")
			for range 2 {
				k.Interrupt("irq", func(k *Task) { plain(k, l) })
			}
			k.Explore()
		})
	}},
	{"C-CTX-06", func(t *testing.T) {
		waits := map[string]func(k *Task, w *Work){
			"synchronize_rcu": func(k *Task, _ *Work) { k.SynchronizeRCU() },
			"flush_work":      func(k *Task, w *Work) { w.Flush(k) },
		}
		for call, wait := range waits {
			body := func(inside bool) func(k *Task) {
				return func(k *Task) {
					w := &Work{}
					w.Init(k, nil, "w", func(*Task) {})
					k.K.SystemWq.Queue(k, w)
					k.Go("task", func(k *Task) {
						k.RCUReadLock()
						if inside {
							wait(k, w)
						}
						k.RCUReadUnlock()
						if !inside {
							wait(k, w)
						}
					})
					k.Go("reader", func(k *Task) {
						k.RCUReadLock()
						k.Step(opStep)
						k.RCUReadUnlock()
					})
					k.Explore()
				}
			}
			everywhere(t, Context, call, body(true))
			everywhere(t, Context, "RCU read section", body(true))
			always(t, body(false))
		}
	}},
})

// An interrupt may come between any two steps of a task, and before and after all.
func TestInterruptAnywhere(t *testing.T) {
	out := outcomes(t, func(k *Task, say func(string, ...any)) {
		var x Shared[int]
		x.Init(k, nil, "x", 0)
		seen := -1
		k.Go("task", func(k *Task) {
			x.Store(k, 1)
			x.Store(k, 2)
		})
		k.Interrupt("irq", func(k *Task) {
			if k.Context() != InHardirq {
				k.Fail(Context, "in %s", k.Context())
			}
			seen = x.Load(k)
		})
		k.Explore()
		say("%d", seen)
	})
	if len(out) != 3 {
		t.Fatalf("the interrupt saw %v; want 0, 1 and 2", out)
	}
}

// Waiting for a field is sleeping, as wait_event is: C-CTX-01.
func TestAwaitInHardirq(t *testing.T) {
	fails(t, Context, "sleeping function called from invalid context", func(k *Task) {
		var x Shared[int]
		x.Init(k, nil, "x", 1)
		k.Interrupt("irq", func(k *Task) { x.Await(k, "wait_event", func(v int) bool { return v == 1 }) })
		k.Explore()
	})
}
