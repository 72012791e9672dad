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
		w.Init(k, nil, "w")
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
		return w.Flush
	},
	"allocation": func(k *Task) func(*Task) {
		return func(k *Task) { k.MayFail(GFP_NOIO, "x") }
	},
	"wait": func(k *Task) func(*Task) {
		return func(k *Task) { k.WaitTaskWork() }
	},
	"synchronize_rcu": func(k *Task) func(*Task) { return (*Task).SynchronizeRCU },
}

var contextCases = cases{
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
			k.CallRCU("callback", func(k *Task) { mu.Trylock(k) })
			k.Explore()
		})
		fails(t, Context, "ww_mutex_trylock(w) in hardirq context", func(k *Task) {
			w := &WWMutex{}
			w.Init(k, nil, "w")
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
			{"kworker/events returned with locks held: [m]", func(k *Task, mu *Mutex) { mu.Lock(k) }},
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
	{"C-CTX-06", func(t *testing.T) {
		fails(t, Context, "synchronize_rcu inside an RCU read section: deadlock", func(k *Task) {
			k.RCUReadLock()
			k.SynchronizeRCU()
		})
		fails(t, Context, "flush_work(w)", func(k *Task) {
			w := &Work{}
			w.Init(k, nil, "w", func(*Task) {})
			k.RCUReadLock()
			w.Flush(k)
		})
	}},
}

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
