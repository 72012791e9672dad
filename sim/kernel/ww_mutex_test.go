package kernel

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
)

func wwMutexes(k *Task, n int) []*WWMutex { return wwMutexesOf(k, n, WaitDie) }

func wwMutexesOf(k *Task, n int, algo WWAlgorithm) []*WWMutex {
	out := make([]*WWMutex, n)
	for i := range out {
		out[i] = &WWMutex{}
		out[i].Init(k, nil, k.WWClass("resv", algo), string(rune('a'+i)))
	}
	return out
}

// stamped begins a transaction of a known age, without the operation that draws it.
func stamped(k *Task, stamp int64) *AcquireCtx { return k.WWClass("resv", WaitDie).begin(k, stamp) }

const older, younger = 1, 2

func must(k *Task, err Errno) {
	if err != OK {
		k.Fail(sim.Misuse, "ww_mutex_lock: %v", err)
	}
}

// lockBoth takes two locks in a transaction, backing off as often as it must, and
// counts how often that is.
func lockBoth(k *Task, ctx *AcquireCtx, first, second *WWMutex) (died int) {
	must(k, first.Lock(k, ctx))
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

// meet has a requester with a number of other locks meet a holder, in all interleavings,
// and collects what the lock call said.
func meet(t *testing.T, holder, requester int64, locks int) map[string]bool {
	return outcomes(t, func(k *Task, say func(string, ...any)) {
		w := wwMutexes(k, 2)
		var err Errno
		k.Go("holder", func(k *Task) {
			var ctx *AcquireCtx
			if holder > 0 {
				ctx = stamped(k, holder)
				defer ctx.Fini(k)
			}
			must(k, w[0].Lock(k, ctx))
			w[0].Unlock(k)
		})
		k.Go("requester", func(k *Task) {
			ctx := stamped(k, requester)
			for range locks {
				must(k, w[1].Lock(k, ctx))
			}
			if err = w[0].Lock(k, ctx); err == OK {
				w[0].Unlock(k)
			}
			for range locks {
				w[1].Unlock(k)
			}
			ctx.Fini(k)
		})
		k.Explore()
		say("%v", err)
	})
}

// abba is two transactions that want the same two locks in different order, and says how
// often the older and the younger one died.
func abba(algo WWAlgorithm) func(k *Task, say func(string, ...any)) {
	return func(k *Task, say func(string, ...any)) {
		w := wwMutexesOf(k, 2, algo)
		var a, b int
		k.Go("older", func(k *Task) { a = lockBoth(k, stamped(k, older), w[0], w[1]) })
		k.Go("younger", func(k *Task) { b = lockBoth(k, stamped(k, younger), w[1], w[0]) })
		k.Explore()
		say("%d %d", a, b)
	}
}

// ring is as many transactions as locks, each of which wants one and the next.
func ring(n int, algo WWAlgorithm) func(k *Task) {
	return func(k *Task) {
		w := wwMutexesOf(k, n, algo)
		for i := range n {
			k.Go("task", func(k *Task) { lockBoth(k, stamped(k, int64(i+1)), w[i], w[(i+1)%n]) })
		}
		k.Explore()
	}
}

var _ = conform(cases{
	{"C-WW-01", func(t *testing.T) {
		passes(t, func(k *Task) {
			w := wwMutexes(k, 1)[0]
			ctx := k.WWClass("resv", WaitDie).AcquireInit(k)
			require.Equal(t, OK, w.Lock(k, ctx))
			require.Equal(t, EALREADY, w.Lock(k, ctx))
			require.Equal(t, EALREADY, w.LockInterruptible(k, ctx))
			require.Equal(t, 1, ctx.acquired)
			w.Unlock(k)
			require.False(t, w.Locked(), "held once")
			ctx.Fini(k)
		})
	}},
	{"C-WW-02", func(t *testing.T) {
		// The older never dies (C-WW-03), and after its back-off the younger does
		// not die again (C-WW-08).
		require.Equal(t, set("0 0", "0 1"), outcomes(t, abba(WaitDie)))
		require.Equal(t, set("0 0", "0 1"), outcomes(t, abba(WoundWait)))
	}},
	{"C-WW-03", func(t *testing.T) { // an older requester waits, with locks too
		require.Equal(t, set("0"), meet(t, younger, older, 0))
		require.Equal(t, set("0"), meet(t, younger, older, 1))
	}},
	{"C-WW-04", func(t *testing.T) { // a younger one without locks waits
		require.Equal(t, set("0"), meet(t, older, younger, 0))
		require.Equal(t, set("0", "-EDEADLK"), meet(t, older, younger, 1), "with locks it dies")
	}},
	{"C-WW-05", func(t *testing.T) {
		// The holder kills nobody: it has no context, or is the youngest of all.
		for _, holder := range []int64{0, 3} {
			died := func(queued int64) map[string]bool {
				return outcomes(t, func(k *Task, say func(string, ...any)) {
					w := wwMutexes(k, 2)
					err := [2]Errno{-1, -1}
					k.Go("holder", func(k *Task) {
						var ctx *AcquireCtx
						if holder > 0 {
							ctx = stamped(k, holder)
							defer ctx.Fini(k)
						}
						must(k, w[0].Lock(k, ctx))
						k.Go("other", func(k *Task) {
							ctx := stamped(k, queued)
							must(k, w[0].Lock(k, ctx))
							w[0].Unlock(k)
							ctx.Fini(k)
						})
						k.Go("requester", func(k *Task) {
							ctx := stamped(k, 2)
							must(k, w[1].Lock(k, ctx))
							if err[0] = w[0].Lock(k, ctx); err[0] == OK {
								err[1] = OK
								w[0].Unlock(k)
							} else if w[0].owner.Name == "holder" {
								err[1] = EDEADLK // while the first holder had it
							}
							w[1].Unlock(k)
							ctx.Fini(k)
						})
						w[0].Unlock(k)
					})
					k.Explore()
					say("%v %v", err[0], err[1])
				})
			}
			require.Contains(t, died(1), "-EDEADLK -EDEADLK", "an older one is queued")
			require.NotContains(t, died(4), "-EDEADLK -EDEADLK", "a younger one is queued")
		}
	}},
	{"C-WW-06", func(t *testing.T) { // nobody dies of a holder without a context
		require.Equal(t, set("0"), meet(t, 0, younger, 1))
	}},
	{"C-WW-07", func(t *testing.T) {
		// The lock is free while an older transaction is queued: whoever asks first gets
		// it, and those that are younger still, and have locks, die.
		out := outcomes(t, func(k *Task, say func(string, ...any)) {
			w := wwMutexes(k, 2)
			stolen := false
			k.Go("holder", func(k *Task) {
				w[0].Lock(k, nil)
				k.Go("older", func(k *Task) {
					ctx := stamped(k, 1)
					must(k, w[0].Lock(k, ctx))
					w[0].Unlock(k)
					ctx.Fini(k)
				})
				k.Go("thief", func(k *Task) {
					ctx := stamped(k, 2)
					defer ctx.Fini(k)
					if !w[0].TrylockCtx(k, ctx) {
						return
					}
					stolen = len(w[0].queue) > 0
					w[0].Unlock(k)
				})
				w[0].Unlock(k)
			})
			k.Explore()
			say("%v", stolen)
		})
		require.Equal(t, set("false", "true"), out)
		out = outcomes(t, func(k *Task, say func(string, ...any)) {
			w := wwMutexes(k, 2)
			var queued, err = false, OK
			k.Go("holder", func(k *Task) {
				w[0].Lock(k, nil)
				k.Go("youngest", func(k *Task) {
					ctx := stamped(k, 3)
					must(k, w[1].Lock(k, ctx))
					if err = w[0].Lock(k, ctx); err == OK {
						w[0].Unlock(k)
					}
					w[1].Unlock(k)
					ctx.Fini(k)
				})
				k.Go("thief", func(k *Task) {
					ctx := stamped(k, 2)
					must(k, w[0].Lock(k, ctx))
					queued = len(w[0].queue) > 0
					w[0].Unlock(k)
					ctx.Fini(k)
				})
				w[0].Unlock(k)
			})
			k.Explore()
			say("%v %v", queued, err)
		})
		require.Contains(t, out, "true -EDEADLK", "one that was queued dies")
		require.Contains(t, out, "true 0", "or gets the lock, if it is free again by then")
	}},
	{"C-WW-08", func(t *testing.T) {
		// The younger one keeps its stamp, so those that come later are younger than it:
		// it dies of the first rival only.
		out := outcomes(t, func(k *Task, say func(string, ...any)) {
			w := wwMutexes(k, 2)
			died := 0
			k.Go("rival", func(k *Task) {
				lockBoth(k, stamped(k, 1), w[0], w[1])
				lockBoth(k, stamped(k, 3), w[0], w[1])
			})
			k.Go("task", func(k *Task) { died = lockBoth(k, stamped(k, 2), w[1], w[0]) })
			k.Explore()
			say("%d", died)
		})
		require.Equal(t, set("0", "1"), out)
	}},
	{"C-WW-09", func(t *testing.T) {
		passes(t, func(k *Task) {
			w := wwMutexes(k, 2)
			require.True(t, w[0].Trylock(k))
			require.Nil(t, w[0].LockingCtx(k))
			require.False(t, w[0].Trylock(k), "never EALREADY, never a second time")
			w[0].Unlock(k)
			ctx := stamped(k, 1)
			require.True(t, w[0].TrylockCtx(k, ctx))
			require.Equal(t, ctx, w[0].LockingCtx(k))
			require.False(t, w[0].TrylockCtx(k, ctx), "never EALREADY")
			require.True(t, w[1].TrylockCtx(k, ctx))
			require.Equal(t, 2, ctx.acquired)
			w[1].Unlock(k)
			w[0].Unlock(k)
			require.Zero(t, ctx.acquired)
			ctx.Fini(k)
		})
	}},
	{"C-WW-10", func(t *testing.T) {
		for _, with := range []bool{false, true} {
			out := outcomes(t, func(k *Task, say func(string, ...any)) {
				w := wwMutexes(k, 1)[0]
				var err Errno
				k.Go("holder", func(k *Task) { w.Lock(k, nil); w.Unlock(k) })
				target := k.Go("target", func(k *Task) {
					var ctx *AcquireCtx
					if with {
						ctx = stamped(k, 1)
						defer ctx.Fini(k)
					}
					if err = w.LockInterruptible(k, ctx); err == OK {
						w.Unlock(k)
					}
				})
				k.Go("killer", func(k *Task) { k.SendSignal(target, false) })
				k.Explore()
				require.Empty(t, w.queue)
				say("%v", err)
			})
			require.Equal(t, set("0", "-EINTR"), out)
			passes(t, func(k *Task) { // free
				w := wwMutexes(k, 1)[0]
				k.SendSignal(k, true)
				var ctx *AcquireCtx
				if with {
					ctx = stamped(k, 1)
					defer ctx.Fini(k)
				}
				require.Equal(t, OK, w.LockInterruptible(k, ctx))
				w.Unlock(k)
			})
		}
		t.Run("uninterruptible", func(t *testing.T) {
			always(t, func(k *Task) {
				w := wwMutexes(k, 1)[0]
				k.Go("holder", func(k *Task) { w.Lock(k, nil); w.Unlock(k) })
				target := k.Go("target", func(k *Task) {
					ctx := stamped(k, 1)
					must(k, w.Lock(k, ctx))
					w.Unlock(k)
					ctx.Fini(k)
				})
				k.Go("killer", func(k *Task) { k.SendSignal(target, true) })
				k.Explore()
			})
		})
	}},
	{"C-WW-11", func(t *testing.T) {
		fails(t, sim.Warn, "ww_acquire_fini with 1 lock(s) still held", func(k *Task) {
			w, ctx := wwMutexes(k, 1)[0], stamped(k, 1)
			w.Lock(k, ctx)
			ctx.Fini(k)
			w.Unlock(k)
		})
		fails(t, sim.Warn, "ww_mutex_lock_slow(a) without -EDEADLK before", func(k *Task) {
			w, ctx := wwMutexes(k, 1)[0], stamped(k, 1)
			w.LockSlow(k, ctx)
			w.Unlock(k)
			ctx.Fini(k)
		})
	}},
	{"C-WW-12", func(t *testing.T) {
		for _, algo := range []WWAlgorithm{WaitDie, WoundWait} {
			// Three transactions in a ring: too many interleavings for all.
			on.Survives(t, explore.NewDPOR(), ring(2, algo))
			for _, s := range []explore.Strategy{
				explore.NewDFS(explore.Coverage{Bound: explore.Preemptions, N: 2}), explore.NewRandom(1),
			} {
				r := explore.Run(context.Background(), on.Body(ring(3, algo)), s, explore.Options{StepLimit: 200, Executions: 5_000})
				if r.Found != nil {
					r.Found.Machine.Close()
					t.Fatalf("%s: %v", s.Name(), r.Found.Failure)
				}
			}
		}
	}},
	{"C-WW-13", func(t *testing.T) {
		out := outcomes(t, func(k *Task, say func(string, ...any)) {
			w := wwMutexesOf(k, 3, WoundWait)
			wounded, free, contended := false, Errno(-1), OK
			k.Go("younger", func(k *Task) {
				ctx := stamped(k, younger)
				must(k, w[0].Lock(k, ctx))
				k.Go("older", func(k *Task) {
					ctx := stamped(k, older)
					must(k, w[1].Lock(k, ctx))
					must(k, w[0].Lock(k, ctx))
					w[0].Unlock(k)
					w[1].Unlock(k)
					ctx.Fini(k)
				})
				k.Step(sim.Op{Verb: "work"})
				k.Touch(k.wake(), sim.Read)
				wounded = ctx.wounded
				free = w[2].Lock(k, ctx)
				if contended = w[1].Lock(k, ctx); contended == OK {
					w[1].Unlock(k)
				}
				w[2].Unlock(k)
				w[0].Unlock(k)
				ctx.Fini(k)
			})
			k.Explore()
			say("%v %v %v", wounded, free, contended)
		})
		require.Equal(t, set("false 0 0", "false 0 -EDEADLK", "true 0 -EDEADLK"), out)
	}},
	{"C-WW-14", func(t *testing.T) {
		// The countdown starts with the stamp. From then on the interval grows, and one
		// lock is none.
		inject := func(k *Task) []*WWMutex {
			k.WWClass("resv", WaitDie).Inject = true
			return wwMutexes(k, 2)
		}
		passes(t, func(k *Task) {
			w, ctx := inject(k), stamped(k, 2)
			must(k, w[0].Lock(k, ctx))
			var died []int
			for i := range 20 {
				if err := w[1].Lock(k, ctx); err == EDEADLK {
					require.False(t, w[1].Locked(), "the lock was given up")
					require.Equal(t, 1, ctx.acquired)
					died = append(died, i)
					w[0].Unlock(k)
					w[1].LockSlow(k, ctx)
					must(k, w[0].Lock(k, ctx))
				}
				w[1].Unlock(k)
			}
			w[0].Unlock(k)
			ctx.Fini(k)
			require.Equal(t, []int{2, 5, 15}, died)
		})
		always(t, func(k *Task) {
			w := inject(k)
			for i := range 2 {
				k.Go("task", func(k *Task) { lockBoth(k, stamped(k, int64(16*i)), w[i], w[1-i]) })
			}
			k.Explore()
		})
	}},
})

// What a debug kernel says of transactions that do not follow the rules.
func TestWWMutexRules(t *testing.T) {
	dead := func(k *Task, w []*WWMutex) *AcquireCtx { // one that has died of w[0], and holds w[1]
		ctx := stamped(k, 1)
		must(k, w[1].Lock(k, ctx))
		ctx.contending = w[0]
		return ctx
	}
	end := func(k *Task, ctx *AcquireCtx, w []*WWMutex) {
		for _, l := range w {
			if l.Held(k) {
				l.Unlock(k)
			}
		}
		ctx.Fini(k)
	}
	for message, body := range map[string]func(k *Task, w []*WWMutex) *AcquireCtx{
		"ww_mutex_lock_slow(a) after -EDEADLK with other locks of the context still held": func(k *Task, w []*WWMutex) *AcquireCtx {
			ctx := dead(k, w)
			w[0].LockSlow(k, ctx)
			return ctx
		},
		"ww_mutex_lock(c) after -EDEADLK from a": func(k *Task, w []*WWMutex) *AcquireCtx {
			ctx := dead(k, w)
			w[1].Unlock(k)
			must(k, w[2].Lock(k, ctx))
			return ctx
		},
		"ww_mutex_lock(b) after ww_acquire_done": func(k *Task, w []*WWMutex) *AcquireCtx {
			ctx := stamped(k, 1)
			must(k, w[0].Lock(k, ctx))
			ctx.Done(k)
			must(k, w[1].Lock(k, ctx))
			return ctx
		},
		"ww_acquire_done a second time": func(k *Task, w []*WWMutex) *AcquireCtx {
			ctx := stamped(k, 1)
			ctx.Done(k)
			ctx.Done(k)
			return ctx
		},
		"ww_mutex_lock(a) with a context of another class": func(k *Task, w []*WWMutex) *AcquireCtx {
			ctx := k.WWClass("other", WaitDie).AcquireInit(k)
			must(k, w[0].Lock(k, ctx))
			return ctx
		},
	} {
		fails(t, sim.Warn, message, func(k *Task) {
			w := wwMutexes(k, 3)
			end(k, body(k, w), w)
		})
	}
	t.Run("as they should", func(t *testing.T) {
		passes(t, func(k *Task) {
			w := wwMutexes(k, 3)
			ctx := dead(k, w)
			w[1].Unlock(k)
			w[0].LockSlow(k, ctx)
			require.Equal(t, OK, w[2].Lock(k, ctx))
			ctx.Done(k)
			end(k, ctx, w)
		})
	})
	fails(t, sim.Misuse, "uses an acquire context after ww_acquire_fini", func(k *Task) {
		ctx := stamped(k, 1)
		ctx.Fini(k)
		ctx.Fini(k)
	})
	fails(t, sim.Misuse, "other (task 1) uses the acquire context of init (task 0)", func(k *Task) {
		w, ctx := wwMutexes(k, 1)[0], stamped(k, 1)
		k.Go("other", func(k *Task) { w.Lock(k, ctx) })
		k.Explore()
	})
}

// Without a context the same order is a deadlock, as with any mutex; lockdep says so
// before, since two locks of a class can only be told apart by a context.
func TestWWMutexWithoutContext(t *testing.T) {
	nested := func(off bool) func(k *Task) {
		return func(k *Task) {
			k.K.Lockdep.Off = off
			w := wwMutexes(k, 2)
			nest := func(outer, inner *WWMutex) func(*Task) {
				return func(k *Task) { outer.Lock(k, nil); inner.Lock(k, nil); inner.Unlock(k); outer.Unlock(k) }
			}
			k.Go("one", nest(w[0], w[1]))
			k.Go("two", nest(w[1], w[0]))
			k.Explore()
		}
	}
	sometimes(t, sim.Deadlock, "one waits for ww_mutex_lock b held by two; two waits for ww_mutex_lock a held by one", nested(true))
	fails(t, LockOrder, "possible recursive locking: one (task 1) takes b while it holds a of the same class", nested(false))

	fails(t, sim.Deadlock, "locks a without an acquire context, and holds it already", func(k *Task) {
		w := wwMutexes(k, 1)[0]
		w.Lock(k, nil)
		w.Lock(k, nil)
	})
	t.Run("within a transaction", func(t *testing.T) {
		fails(t, LockOrder, "possible recursive locking", func(k *Task) {
			w, ctx := wwMutexes(k, 2), stamped(k, 1)
			w[0].Lock(k, ctx)
			w[1].Lock(k, nil)
			w[1].Unlock(k)
			w[0].Unlock(k)
			ctx.Fini(k)
		})
	})
}

// A context is held from its beginning to its end: two at a time cannot back off from each
// other, and a mutex must not be both before and after it.
func TestWWMutexContextIsHeld(t *testing.T) {
	fails(t, LockOrder, "possible recursive locking", func(k *Task) {
		a, b := stamped(k, 1), stamped(k, 2)
		b.Fini(k)
		a.Fini(k)
	})
	fails(t, LockOrder, "possible circular locking dependency: m -> resv_acquire -> m", func(k *Task) {
		mu := &Mutex{}
		mu.Init(k, nil, "m")
		for _, inside := range []bool{true, false} {
			if !inside {
				mu.Lock(k)
			}
			ctx := stamped(k, 1)
			if inside {
				mu.Lock(k)
			}
			mu.Unlock(k)
			ctx.Fini(k)
		}
	})
	fails(t, Context, "returned with locks held: resv_acquire", func(k *Task) {
		k.Go("task", func(k *Task) { stamped(k, 1) })
		k.Explore()
	})
}

// A transaction that takes EDEADLK for success unlocks what it does not hold.
func TestWWMutexIgnoredDeath(t *testing.T) {
	sometimes(t, sim.Misuse, "unlocks", func(k *Task) {
		w := wwMutexes(k, 2)
		nest := func(stamp int64, outer, inner *WWMutex) func(*Task) {
			return func(k *Task) {
				ctx := stamped(k, stamp)
				outer.Lock(k, ctx)
				inner.Lock(k, ctx)
				inner.Unlock(k)
				outer.Unlock(k)
				ctx.Fini(k)
			}
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
	fails(t, sim.Deadlock, "with another acquire context", func(k *Task) {
		w := wwMutexes(k, 1)[0]
		w.Lock(k, nil)
		w.Lock(k, stamped(k, 1))
	})
}

// Stamps are drawn in the order of AcquireInit, and compared as differences.
func TestWWMutexStamps(t *testing.T) {
	passes(t, func(k *Task) {
		class := k.WWClass("resv", WaitDie)
		a := class.AcquireInit(k)
		a.Fini(k)
		b := class.AcquireInit(k)
		b.Fini(k)
		require.True(t, b.younger(a))
		require.False(t, a.younger(b))
		wrapped := &AcquireCtx{stamp: -1 << 63}
		last := &AcquireCtx{stamp: 1<<63 - 1}
		require.True(t, wrapped.younger(last))
	})
}

// A lock_slow that a signal ends leaves the transaction as it was: it may try again.
func TestWWMutexLockSlowInterruptible(t *testing.T) {
	out := outcomes(t, func(k *Task, say func(string, ...any)) {
		w := wwMutexes(k, 2)
		tries := 0
		k.Go("older", func(k *Task) {
			ctx := stamped(k, older)
			must(k, w[0].Lock(k, ctx))
			w[0].Unlock(k)
			ctx.Fini(k)
		})
		target := k.Go("younger", func(k *Task) {
			ctx := stamped(k, younger)
			must(k, w[1].Lock(k, ctx))
			err := w[0].Lock(k, ctx)
			w[1].Unlock(k)
			for err != OK {
				tries++
				if err = w[0].LockSlowInterruptible(k, ctx); err == EINTR {
					k.DeliverSignals()
				}
			}
			w[0].Unlock(k)
			ctx.Fini(k)
		})
		k.Go("killer", func(k *Task) { k.SendSignal(target, false) })
		k.Explore()
		say("%d", tries)
	})
	require.Equal(t, set("0", "1", "2"), out)
}

// What is declared of the operations suffices for a strategy that reduces by it: it meets
// every outcome that all interleavings have.
func TestWWMutexReduced(t *testing.T) {
	for name, body := range map[string]func(k *Task, say func(string, ...any)){
		"wait-die":        abba(WaitDie),
		"wound-wait":      abba(WoundWait),
		"die or signal":   crossing(WaitDie),
		"wound or signal": crossing(WoundWait),
	} {
		all := outcomes(t, body)
		reduced := map[string]bool{}
		on.Survives(t, explore.NewDPOR(), func(k *Task) {
			body(k, func(format string, args ...any) { reduced[fmt.Sprintf(format, args...)] = true })
		})
		require.Equal(t, all, reduced, name)
		require.Greater(t, len(all), 1, name)
	}
}

// crossing is two transactions in each other's way, and a signal for one of them.
func crossing(algo WWAlgorithm) func(k *Task, say func(string, ...any)) {
	return func(k *Task, say func(string, ...any)) {
		w := wwMutexesOf(k, 2, algo)
		var errs [2]Errno
		var tasks [2]*Task
		for i := range 2 {
			tasks[i] = k.Go(fmt.Sprint("task", i), func(k *Task) {
				ctx := stamped(k, int64(i+1))
				must(k, w[i].Lock(k, ctx))
				if i == 1 {
					k.SendSignal(tasks[0], false)
				}
				if errs[i] = w[1-i].LockInterruptible(k, ctx); errs[i] == OK {
					w[1-i].Unlock(k)
				}
				w[i].Unlock(k)
				ctx.Fini(k)
			})
		}
		k.Explore()
		say("%v %v", errs[0], errs[1])
	}
}

// Whoever takes a lock before an older transaction that is queued is wounded by it
// (WoundWait), and healed once it has given up its locks and asks for another.
func TestWWMutexOvertaking(t *testing.T) {
	for _, stamp := range []int64{1, 3} {
		passes(t, func(k *Task) {
			w := wwMutexesOf(k, 2, WoundWait)
			ctx := stamped(k, 2)
			queued := &AcquireCtx{class: ctx.class, stamp: stamp, acquired: 1, owner: k}
			w[0].enqueue(&wwWaiter{w[0], queued})
			must(k, w[0].Lock(k, ctx))
			require.Equal(t, stamp == 1, ctx.wounded)
			w[0].Unlock(k)
			w[0].queue = nil
			require.True(t, w[1].TrylockCtx(k, ctx))
			require.False(t, ctx.wounded)
			w[1].Unlock(k)
			ctx.wounded = true
			must(k, w[1].Lock(k, ctx))
			require.False(t, ctx.wounded)
			w[1].Unlock(k)
			ctx.Fini(k)
		})
	}
}

// The queue is sorted by age, in whatever order they came: a transaction that is younger than
// the oldest one that waits has to die, also if others that wait are younger still.
func TestWWMutexQueueIsSorted(t *testing.T) {
	always(t, func(k *Task) {
		k.K.Lockdep.Off = true
		w := wwMutexes(k, 2)
		k.Go("holder", func(k *Task) {
			w[0].Lock(k, nil)
			for _, stamp := range []int64{1, 3} {
				k.Go("queued", func(k *Task) {
					ctx := stamped(k, stamp)
					must(k, w[0].Lock(k, ctx))
					w[0].Unlock(k)
					ctx.Fini(k)
				})
			}
			k.Await("until they wait", &w[0].obj, sim.Read, func() bool { return len(w[0].queue) == 2 })
			ctx := stamped(k, 2)
			must(k, w[1].Lock(k, ctx))
			if !w[0].dies(ctx) {
				k.BUG("it would wait before an older one")
			}
			w[1].Unlock(k)
			ctx.Fini(k)
			w[0].Unlock(k)
		})
		k.Explore()
	})
}
