package kernel

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/internal/simtest"
	"dmasim/sim"
	"dmasim/sim/explore"
)

func twoMutexes(k *Task) (a, b *Mutex) {
	a, b = &Mutex{}, &Mutex{}
	a.Init(k, nil, "a")
	b.Init(k, nil, "b")
	return
}

// both takes two locks, one inside the other.
func both(outer, inner *Mutex) func(*Task) {
	return func(k *Task) {
		outer.Lock(k)
		inner.Lock(k)
		inner.Unlock(k)
		outer.Unlock(k)
	}
}

// counting is two tasks that each add 1 to a field by load and store.
func counting(lock bool) func(*Task, func(string, ...any)) {
	return func(k *Task, say func(string, ...any)) {
		var mu Mutex
		var x Shared[int]
		mu.Init(k, nil, "m")
		x.Init(k, nil, "x", 0)
		for range 2 {
			k.Go("adder", func(k *Task) {
				if lock {
					mu.Lock(k)
					defer mu.Unlock(k)
				}
				x.Store(k, x.Load(k)+1)
			})
		}
		k.Explore()
		say("%d", x.Peek())
	}
}

var _ = conform(cases{
	{"C-MTX-01", func(t *testing.T) {
		fails(t, sim.Deadlock, "locks a, which it holds already", func(k *Task) {
			a, _ := twoMutexes(k)
			both(a, a)(k)
		})
		fails(t, sim.Misuse, "unlocks a, which nobody holds", func(k *Task) {
			a, _ := twoMutexes(k)
			a.Unlock(k)
		})
		fails(t, sim.Misuse, "unlocks a, which init (task 0) holds", func(k *Task) {
			a, _ := twoMutexes(k)
			a.Lock(k)
			k.Go("other", a.Unlock)
			k.Explore()
		})
	}},
	{"C-MTX-02", func(t *testing.T) {
		fails(t, Context, "task returned with locks held: a (taken", func(k *Task) {
			a, b := twoMutexes(k)
			k.Go("task", func(k *Task) { a.Lock(k); b.Trylock(k) })
			k.Explore()
		})
		t.Run("freed while held", func(t *testing.T) {
			fails(t, sim.Misuse, "held lock freed: object.lock", func(k *Task) {
				o := newObject(k, 0)
				var mu Mutex
				mu.Init(k, &o.Mem, "object.lock")
				mu.Lock(k)
				k.Free(&o.Mem)
			})
		})
	}},
	{"C-MTX-03", func(t *testing.T) {
		for name, lock := range interruptible {
			passes(t, func(k *Task) {
				a, _ := twoMutexes(k)
				k.SendSignal(k, true)
				require.Equal(t, OK, lock(a, k), name)
				a.Unlock(k)
			})
		}
	}},
	{"C-MTX-04", func(t *testing.T) {
		for name, lock := range interruptible {
			for _, fatal := range []bool{true, false} {
				out := outcomes(t, func(k *Task, say func(string, ...any)) {
					a, _ := twoMutexes(k)
					var err Errno
					k.Go("holder", func(k *Task) { a.Lock(k); a.Unlock(k) })
					target := k.Go("target", func(k *Task) {
						if err = lock(a, k); err == OK {
							a.Unlock(k)
						}
					})
					k.Go("killer", func(k *Task) { k.SendSignal(target, fatal) })
					k.Explore()
					require.Empty(t, a.waiters)
					say("%v", err)
				})
				if name == "mutex_lock_killable" && !fatal {
					require.Equal(t, set("0"), out, name)
				} else {
					require.Equal(t, set("0", "-EINTR"), out, name)
				}
			}
		}
		t.Run("uninterruptible", func(t *testing.T) {
			sometimes(t, sim.Deadlock, "nobody can wake target", func(k *Task) { lockForever(k, (*Mutex).Lock) })
			always(t, func(k *Task) {
				lockForever(k, func(mu *Mutex, k *Task) {
					if mu.LockKillable(k) == OK {
						mu.Unlock(k)
					}
				})
			})
		})
	}},
	{"C-MTX-05", func(t *testing.T) {
		// A waiter is passed over as often as the patience allows, and not more often. That
		// it has been woken in vain is what a patience of one stands for.
		for patience := range 3 {
			want := set()
			for n := range patience + 1 {
				want[fmt.Sprint(n)] = true
			}
			require.Equal(t, want, outcomes(t, func(k *Task, say func(string, ...any)) {
				a, _ := twoMutexes(k)
				a.patience = patience
				stolen, waits := 0, false
				k.Go("thief", func(k *Task) {
					a.Lock(k)
					k.Go("waiter", func(k *Task) { a.Lock(k); waits = false; a.Unlock(k) })
					k.Step(sim.Op{Verb: "until it waits", Guard: when(func() bool { return len(a.waiters) > 0 })})
					waits = true
					a.Unlock(k)
					for range 3 {
						a.Lock(k)
						if waits {
							stolen++
						}
						a.Unlock(k)
					}
				})
				k.Explore()
				say("%d", stolen)
			}))
		}
		t.Run("trylock", func(t *testing.T) { // cannot steal what has been handed over
			out := outcomes(t, func(k *Task, say func(string, ...any)) {
				a, _ := twoMutexes(k)
				a.patience = 0
				got := false
				k.Go("holder", func(k *Task) {
					a.Lock(k)
					k.Go("waiter", func(k *Task) { a.Lock(k); a.Unlock(k) })
					k.Step(sim.Op{Verb: "until it waits", Guard: when(func() bool { return len(a.waiters) > 0 })})
					a.Unlock(k)
					if got = a.Trylock(k); got {
						say("after %d", a.taken-1)
						a.Unlock(k)
					}
				})
				k.Explore()
			})
			require.Equal(t, set("", "after 2"), out)
		})
	}},
	{"C-MTX-06", func(t *testing.T) {
		require.Equal(t, set("2"), outcomes(t, counting(true)))
		require.Equal(t, set("1", "2"), outcomes(t, counting(false)), "an update can be lost")
	}},
})

// interruptible are the calls that a signal ends.
var interruptible = map[string]func(*Mutex, *Task) Errno{
	"mutex_lock_interruptible": (*Mutex).LockInterruptible,
	"mutex_lock_killable":      (*Mutex).LockKillable,
}

// lockForever has a task wait for a mutex that is not given up, and sends it a signal.
func lockForever(k *Task, lock func(*Mutex, *Task)) {
	a, _ := twoMutexes(k)
	a.Lock(k)
	target := k.Go("target", func(k *Task) { lock(a, k) })
	k.Go("killer", func(k *Task) { k.SendSignal(target, true) })
	k.Explore()
	a.Unlock(k)
}

// The deadlock of two mutexes in two orders, and what lockdep says of the runs in which it
// does not happen.
func TestMutexABBA(t *testing.T) {
	abba := func(off bool, second func(a, b *Mutex) func(*Task)) func(k *Task) {
		return func(k *Task) {
			k.K.Lockdep.Off = off
			a, b := twoMutexes(k)
			k.Go("one", both(a, b))
			k.Go("two", second(a, b))
			k.Explore()
		}
	}
	same := func(a, b *Mutex) func(*Task) { return both(a, b) }
	swapped := func(a, b *Mutex) func(*Task) { return both(b, a) }
	always(t, abba(false, same))
	fails(t, LockOrder, "possible circular locking dependency: b -> a -> b", abba(false, swapped))

	f := sometimes(t, sim.Deadlock, "one waits for mutex_lock b held by two; two waits for mutex_lock a held by one", abba(true, swapped))
	require.Contains(t, f.Detail[0], "one (task 1) is blocked: mutex_lock b, held by two (task 2)")
}

// Three locks taken in a ring: the cycle in the message goes all the way round.
func TestMutexRing(t *testing.T) {
	ring := func(off bool) func(k *Task) {
		return func(k *Task) {
			k.K.Lockdep.Off = off
			a, b := twoMutexes(k)
			c := &Mutex{}
			c.Init(k, nil, "c")
			k.Go("one", both(a, b))
			k.Go("two", both(b, c))
			k.Go("three", both(c, a))
			k.Explore()
		}
	}
	sometimes(t, sim.Deadlock, "three waits for mutex_lock a held by one", ring(true))
	fails(t, LockOrder, "possible circular locking dependency: c -> a -> b -> c", ring(false))
}

// A task that waits for a mutex gets it in the end, whatever the others do: this one
// polls until it has.
func TestMutexWaiterIsNotStarved(t *testing.T) {
	poll := func(k *Task) {
		a, _ := twoMutexes(k)
		var set Field[bool]
		a.Lock(k)
		k.Go("setter", func(k *Task) { a.Lock(k); set.Set(k, true); a.Unlock(k) })
		k.Go("poller", func(k *Task) {
			k.Step(sim.Op{Verb: "until it waits", Guard: when(func() bool { return len(a.waiters) > 0 || set.Peek() })})
			for done := false; !done; {
				a.Lock(k)
				done = set.Get(k)
				a.Unlock(k)
			}
		})
		a.Unlock(k)
		k.Explore()
	}
	on.Survives(t, simtest.Within(explore.Preemptions, 1), poll)
}

// The order of a wait that never ends is noted, too.
func TestMutexOrderOfABlockedLock(t *testing.T) {
	var ld *Lockdep
	on.Run(func(k *Task) {
		ld = &k.K.Lockdep
		a, b := twoMutexes(k)
		b.Lock(k)
		k.Go("task", func(k *Task) { a.Lock(k); b.Lock(k) })
		k.Explore()
	})
	require.True(t, ld.byName["a"].leadsTo(&ld.byName["b"].lockNode))
}

func TestMutexTrylock(t *testing.T) {
	out := outcomes(t, func(k *Task, say func(string, ...any)) {
		a, b := twoMutexes(k)
		got := false
		k.Go("locker", both(a, b))
		k.Go("trier", func(k *Task) {
			if got = a.Trylock(k); got {
				require.True(t, a.Held(k))
				a.Unlock(k)
			}
		})
		k.Explore()
		say("%v", got)
	})
	require.Equal(t, set("true", "false"), out)
}
