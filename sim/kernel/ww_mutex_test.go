package kernel

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
)

func wwMutexes(k *Task, n int) []*WWMutex {
	out := make([]*WWMutex, n)
	for i := range out {
		out[i] = &WWMutex{}
		out[i].Init(k, nil, string(rune('a'+i)))
	}
	return out
}

// lockBoth takes two locks in a transaction, backing off as often as it must, and
// counts how often that is.
func lockBoth(k *Task, ctx *AcquireCtx, first, second *WWMutex) (died int) {
	if first.Lock(k, ctx) != OK {
		k.Fail(sim.Misuse, "a transaction without locks died")
	}
	for {
		err := second.Lock(k, ctx)
		if err == OK {
			break
		}
		if err != EDEADLK {
			k.Fail(sim.Misuse, "ww_mutex_lock: %v", err)
		}
		died++
		first.Unlock(k)
		second.LockSlow(k, ctx)
		first, second = second, first
	}
	second.Unlock(k)
	first.Unlock(k)
	ctx.Fini(k)
	return died
}

var wwCases = cases{
	{"C-WW-01", func(t *testing.T) {
		passes(t, func(k *Task) {
			w := wwMutexes(k, 1)[0]
			ctx := NewWWClass(k, "resv").AcquireInit(k)
			require.Equal(t, OK, w.Lock(k, ctx))
			require.Equal(t, EALREADY, w.Lock(k, ctx))
			require.Equal(t, 1, ctx.acquired)
			w.Unlock(k)
			require.False(t, w.Locked(), "held once")
			ctx.Fini(k)
		})
	}},
	{"C-WW-02", func(t *testing.T) {
		out := outcomes(t, func(k *Task, say func(string, ...any)) {
			w := wwMutexes(k, 2)
			class := NewWWClass(k, "resv")
			older, younger := class.AcquireInit(k), class.AcquireInit(k)
			var a, b int
			k.Go("older", func(k *Task) { a = lockBoth(k, older, w[0], w[1]) })
			k.Go("younger", func(k *Task) { b = lockBoth(k, younger, w[1], w[0]) })
			k.Explore()
			say("%d %d", a, b)
		})
		// The older never dies (C-WW-03), and after its back-off the younger does
		// not die again (C-WW-08).
		require.Equal(t, set("0 0", "0 1"), out)
	}},
	{"C-WW-03", func(t *testing.T) { // an older requester with locks waits
		passes(t, func(k *Task) {
			w := wwMutexes(k, 2)
			class := NewWWClass(k, "resv")
			older, younger := class.AcquireInit(k), class.AcquireInit(k)
			w[1].Lock(k, older)
			var c Completion
			c.Init(k, nil, "c")
			holder := k.Go("younger", func(k *Task) {
				w[0].Lock(k, younger)
				c.Complete(k)
				k.Step(sim.Op{Verb: "work"})
				w[0].Unlock(k)
			})
			k.Explore()
			require.True(t, holder.Done())
			require.Equal(t, OK, w[0].Lock(k, older))
		})
		require.Equal(t, set("0"), waitFor(t, true, 1))
	}},
	{"C-WW-04", func(t *testing.T) { // a younger one without locks waits
		require.Equal(t, set("0"), waitFor(t, false, 0))
		require.Equal(t, set("0", "-EDEADLK"), waitFor(t, false, 1), "with locks it dies")
	}},
	{"C-WW-06", func(t *testing.T) { // nobody dies of a holder without a context
		out := outcomes(t, func(k *Task, say func(string, ...any)) {
			w := wwMutexes(k, 2)
			var err Errno
			k.Go("plain", func(k *Task) { w[0].Lock(k, nil); w[0].Unlock(k) })
			k.Go("ctx", func(k *Task) {
				ctx := NewWWClass(k, "resv").AcquireInit(k)
				w[1].Lock(k, ctx)
				err = w[0].Lock(k, ctx)
				w[0].Unlock(k)
				w[1].Unlock(k)
			})
			k.Explore()
			say("%v", err)
		})
		require.Equal(t, set("0"), out)
	}},
	{"C-WW-09", func(t *testing.T) {
		passes(t, func(k *Task) {
			w := wwMutexes(k, 1)[0]
			require.True(t, w.Trylock(k))
			require.Nil(t, w.ctx)
			require.False(t, w.Trylock(k), "never EALREADY, never a second time")
			w.Unlock(k)
		})
	}},
	{"C-WW-11", func(t *testing.T) {
		fails(t, sim.Misuse, "ww_acquire_fini with 1 lock(s) still held", func(k *Task) {
			w := wwMutexes(k, 1)[0]
			ctx := NewWWClass(k, "resv").AcquireInit(k)
			w.Lock(k, ctx)
			ctx.Fini(k)
		})
		fails(t, sim.Misuse, "ww_mutex_lock_slow with 1 lock(s) of the context still held", func(k *Task) {
			w := wwMutexes(k, 2)
			ctx := NewWWClass(k, "resv").AcquireInit(k)
			w[0].Lock(k, ctx)
			w[1].LockSlow(k, ctx)
		})
		t.Run("lock_slow without a prior die", func(t *testing.T) {
			fails(t, sim.Misuse, "ww_mutex_lock_slow", func(k *Task) {
				w := wwMutexes(k, 1)[0]
				ctx := NewWWClass(k, "resv").AcquireInit(k)
				w.LockSlow(k, ctx)
				w.Unlock(k)
			})
		})
	}},
	{"C-WW-12", func(t *testing.T) {
		// Three transactions in a ring: too many interleavings for all, so those with
		// two preemptions, and a random sample of the others.
		ring := func(st *sim.Task) {
			k := Boot(st)
			w := wwMutexes(k, 3)
			class := NewWWClass(k, "resv")
			for i := range 3 {
				ctx := class.AcquireInit(k)
				k.Go("task", func(k *Task) { lockBoth(k, ctx, w[i], w[(i+1)%3]) })
			}
			k.Explore()
		}
		for _, s := range []explore.Strategy{
			explore.NewDFS(explore.Coverage{Bound: explore.Preemptions, N: 2}), explore.NewRandom(1),
		} {
			r := explore.Run(context.Background(), ring, s, explore.Options{StepLimit: 200, Executions: 5_000})
			if r.Found != nil {
				r.Found.Machine.Close()
				t.Fatalf("%s: %v", s.Name(), r.Found.Failure)
			}
		}
	}},
}

// waitFor has a requester with a number of other locks meet a holder, and collects
// what the lock call said.
func waitFor(t *testing.T, requesterOlder bool, locks int) map[string]bool {
	return outcomes(t, func(k *Task, say func(string, ...any)) {
		w := wwMutexes(k, 2)
		class := NewWWClass(k, "resv")
		holder, requester := class.AcquireInit(k), class.AcquireInit(k)
		if requesterOlder {
			holder, requester = requester, holder
		}
		var err Errno
		k.Go("holder", func(k *Task) { w[0].Lock(k, holder); w[0].Unlock(k) })
		k.Go("requester", func(k *Task) {
			for range locks {
				w[1].Lock(k, requester)
			}
			if err = w[0].Lock(k, requester); err == OK {
				w[0].Unlock(k)
			}
			for range locks {
				w[1].Unlock(k)
			}
		})
		k.Explore()
		say("%v", err)
	})
}

// Without a context the same order is a deadlock, as with any mutex.
func TestWWMutexWithoutContext(t *testing.T) {
	sometimes(t, sim.Deadlock, "one waits for ww_mutex_lock b held by two; two waits for ww_mutex_lock a held by one", func(k *Task) {
		w := wwMutexes(k, 2)
		nest := func(outer, inner *WWMutex) func(*Task) {
			return func(k *Task) { outer.Lock(k, nil); inner.Lock(k, nil); inner.Unlock(k); outer.Unlock(k) }
		}
		k.Go("one", nest(w[0], w[1]))
		k.Go("two", nest(w[1], w[0]))
		k.Explore()
	})
	fails(t, sim.Deadlock, "locks a without an acquire context, and holds it already", func(k *Task) {
		w := wwMutexes(k, 1)[0]
		w.Lock(k, nil)
		w.Lock(k, nil)
	})
}

// A transaction that takes EDEADLK for success unlocks what it does not hold.
func TestWWMutexIgnoredDeath(t *testing.T) {
	sometimes(t, sim.Misuse, "unlocks", func(k *Task) {
		w := wwMutexes(k, 2)
		class := NewWWClass(k, "resv")
		older, younger := class.AcquireInit(k), class.AcquireInit(k)
		nest := func(ctx *AcquireCtx, outer, inner *WWMutex) func(*Task) {
			return func(k *Task) { outer.Lock(k, ctx); inner.Lock(k, ctx); inner.Unlock(k); outer.Unlock(k) }
		}
		k.Go("older", nest(older, w[0], w[1]))
		k.Go("younger", nest(younger, w[1], w[0]))
		k.Explore()
	})
}

func TestWWMutexUnlock(t *testing.T) {
	fails(t, sim.Misuse, "unlocks a, which nobody holds", func(k *Task) { wwMutexes(k, 1)[0].Unlock(k) })
	fails(t, sim.Misuse, "unlocks a, which init (task 0) holds", func(k *Task) {
		w := wwMutexes(k, 1)[0]
		w.Lock(k, nil)
		k.Go("other", w.Unlock)
		k.Explore()
	})
}

// The kernel compares contexts: a lock that the task holds without one is no
// -EALREADY, but waits for itself.
func TestWWMutexHeldWithoutContext(t *testing.T) {
	fails(t, sim.Deadlock, "", func(k *Task) {
		w := wwMutexes(k, 1)[0]
		w.Lock(k, nil)
		w.Lock(k, NewWWClass(k, "resv").AcquireInit(k))
	})
}
