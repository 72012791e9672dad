package kernel

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// waitsHolding starts a task that waits for a completion with the lock held, and one that
// takes another lock before it completes that.
func waitsHolding(k *Task, held, needed *Mutex, name string) {
	c := &Completion{}
	c.Init(k, nil, name)
	k.Go("waiter", func(k *Task) {
		held.Lock(k)
		c.Wait(k)
		held.Unlock(k)
	})
	k.Go("helper", func(k *Task) {
		nested(k, needed)
		c.Complete(k)
	})
}

// Two locks of one class are not one: what waits with the one held for who takes the other is
// in order until there is somebody who does it the other way round.
func TestLockdepOfTwoBuffers(t *testing.T) {
	two := func(one, other int) func(k *Task) {
		return func(k *Task) {
			l := mutexes(k, "resv#1", "resv#2", "resv#3")
			waitsHolding(k, l[0], l[one], "first")
			if other >= 0 {
				waitsHolding(k, l[1], l[other], "second")
			}
			k.Explore()
		}
	}
	everywhereSilent(t, two(1, -1))
	everywhereSilent(t, two(1, 2))
	foretold(t, "(completion)second -> resv(resv#1) -> (completion)first -> resv(resv#2) -> (completion)second", two(1, 0))
	sometimes(t, sim.Deadlock, "", two(0, -1))
}

// The same with a lock in between, of a class with several locks, too.
func TestLockdepOfEventsBySingleLocks(t *testing.T) {
	third := func(outer, inner string) func(k *Task) {
		return func(k *Task) {
			l := mutexes(k, "map#1", "resv#1", outer, inner)
			if outer == "resv#1" {
				l[2] = l[1]
			}
			if inner == "map#1" {
				l[3] = l[0]
			}
			waitsHolding(k, l[0], l[1], "idle")
			k.Go("third", func(k *Task) { nested(k, l[2], l[3]) })
			k.Explore()
		}
	}
	foretold(t, "(completion)idle -> resv -> map -> (completion)idle", third("resv#1", "map#1"))
	everywhereSilent(t, third("resv#2", "map#1"))
	everywhereSilent(t, third("resv#1", "map#2"))
}

// What is documented holds for every lock of the classes.
func TestLockdepOfEventsKnowsDocumentedOrders(t *testing.T) {
	body := func(documented bool) func(k *Task) {
		return func(k *Task) {
			l := mutexes(k, "resv#1", "mmap_lock#2")
			if documented {
				k.Documented(k.LockMap("mmap_lock"), k.LockMap("resv_acquire"), k.LockMap("resv"))
			}
			waitsHolding(k, l[0], l[1], "idle")
			k.Explore()
		}
	}
	fails(t, LockOrder, "(completion)idle -> mmap_lock -> resv_acquire -> resv -> (completion)idle", body(true))
	everywhereSilent(t, body(false))
}

// Whoever waits because of what was done before does not wait for that, at no wait on the
// way.
func TestLockdepKnowsWhatWasSeenWithTheLockHeld(t *testing.T) {
	body := func(looks, twice bool) func(k *Task) {
		return func(k *Task) {
			l := mutexes(k, "l", "m")
			var busy Shared[bool]
			busy.Init(k, nil, "busy", false)
			var idle, relayed Completion
			idle.Init(k, nil, "idle")
			relayed.Init(k, nil, "relayed")
			wait := func(k *Task) {
				if !looks || busy.Load(k) {
					idle.Wait(k)
				}
			}
			k.Go("closer", func(k *Task) {
				l[0].Lock(k)
				if twice {
					relayed.Wait(k)
				} else {
					wait(k)
				}
				l[0].Unlock(k)
			})
			if twice {
				k.Go("relay", func(k *Task) {
					wait(k)
					relayed.Complete(k)
				})
			}
			k.Go("user", func(k *Task) {
				nested(k, l[1])
				busy.Store(k, true)
				idle.CompleteAll(k)
			})
			k.Go("third", func(k *Task) { nested(k, l[1], l[0]) })
			k.Explore()
		}
	}
	for _, twice := range []bool{false, true} {
		name := "(completion)idle"
		if twice {
			name = "(completion)relayed"
		}
		foretold(t, name+" -> m -> l -> "+name, body(false, twice))
		everywhereSilent(t, body(true, twice))
	}
}

// over explores a program, of which no run fails by itself, and returns what its runs show
// together.
func over(t *testing.T, s explore.Strategy, workers int, body func(k *Task)) *explore.Found {
	t.Helper()
	r := explore.Run(context.Background(), on.Body(body), s, explore.Options{Executions: 2000, Workers: workers})
	if r.Found != nil {
		t.Cleanup(r.Found.Machine.Close)
		require.NotEmpty(t, r.Found.Others, r.Found.Failure)
		m := sim.NewMachine()
		defer m.Close()
		for _, w := range append([]explore.Witness{{Schedule: r.Found.Schedule, Hash: r.Found.Hash}}, r.Found.Others...) {
			one := m.Run(explore.NewReplay(w.Schedule), on.Body(body))
			require.Nil(t, one.Failure)
			require.Equal(t, w.Hash, one.Hash)
		}
	}
	return r.Found
}

// Two buffers the wrong way round, in different runs.
func TestLockHistoryOfEvents(t *testing.T) {
	body := func(other int) func(k *Task) {
		return func(k *Task) {
			l := mutexes(k, "resv#1", "resv#2", "resv#3")
			k.Go("one", func(k *Task) {
				if k.Choose(2, "which") == 0 {
					waitsHolding(k, l[0], l[1], "first")
				} else {
					waitsHolding(k, l[1], l[other], "second")
				}
			})
			k.Explore()
		}
	}
	require.Nil(t, over(t, explore.NewDPOR(), 1, body(2)))
	f := over(t, explore.NewDPOR(), 1, body(0))
	require.NotNil(t, f)
	require.Equal(t, "possible circular locking dependency, from 2 runs: (completion)first -> resv(resv#2) -> (completion)second -> resv(resv#1) -> (completion)first", f.Failure.Message)
}

// A lock that an interrupt takes in one run, and that is held with interrupts on in another; and
// a way from the one to the other.
func TestLockHistoryOfInterrupts(t *testing.T) {
	body := func(way, off bool) func(k *Task) {
		return func(k *Task) {
			var safe, unsafe Spinlock
			safe.Init(k, nil, "safe")
			unsafe.Init(k, nil, "unsafe")
			take := func(k *Task, l *Spinlock) {
				if off {
					l.UnlockIrqrestore(k, l.LockIrqsave(k))
				} else {
					l.Lock(k)
					l.Unlock(k)
				}
			}
			k.Go("task", func(k *Task) {
				switch which := k.Choose(3, "what happens"); {
				case which == 0:
					k.Interrupt("irq", func(k *Task) {
						safe.Lock(k)
						safe.Unlock(k)
					})
				case which == 1 && !way:
					take(k, &safe)
				case which == 1:
					take(k, &unsafe)
				case way:
					flags := safe.LockIrqsave(k)
					take(k, &unsafe)
					safe.UnlockIrqrestore(k, flags)
				}
			})
			k.Go("other", func(k *Task) { k.Step(sim.Op{Verb: "works"}) })
			k.Explore()
		}
	}
	for _, way := range []bool{false, true} {
		require.Nil(t, over(t, explore.NewDPOR(), 1, body(way, true)))
		f := over(t, explore.NewDPOR(), 1, body(way, false))
		require.NotNil(t, f)
		require.Equal(t, LockOrder, f.Failure.Kind)
		want, runs := "inconsistent lock state, from 2 runs: safe is taken in hardirq context, and elsewhere with hardirqs enabled", 2
		if way {
			want, runs = "hardirq-safe -> hardirq-unsafe lock order, from 3 runs: safe -> unsafe", 3
		}
		require.Equal(t, want, f.Failure.Message)
		require.Len(t, f.Others, runs-1)
		one, two := over(t, explore.NewRandom(3), 1, body(way, false)), over(t, explore.NewRandom(3), 2, body(way, false))
		require.Equal(t, one.Failure, two.Failure)
		require.Equal(t, one.Others, two.Others)
	}
}

// A program is looked at over all of its runs unless that is not wanted, or it is without lockdep.
func TestLockHistoryIsTheDefault(t *testing.T) {
	body := func(off bool) func(*sim.Task) {
		return on.Body(func(k *Task) {
			k.K.Lockdep.Off = off
			l := mutexes(k, "a", "b")
			k.Go("one", func(k *Task) {
				if k.Choose(2, "order") == 0 {
					nested(k, l[0], l[1])
				} else {
					nested(k, l[1], l[0])
				}
			})
			k.Go("other", func(k *Task) { nested(k, l[0]) })
			k.Explore()
		})
	}
	found := func(off bool, opt explore.Options) *explore.Found {
		opt.Executions = 50
		return explore.Run(context.Background(), body(off), explore.NewRandom(1), opt).Found
	}
	f := found(false, explore.Options{})
	require.NotNil(t, f)
	f.Machine.Close()
	require.Nil(t, found(false, explore.Options{NoObserver: true}))
	require.Nil(t, found(true, explore.Options{}))
}

// What is queued goes on with whoever comes by: what that one did before is not needed, since
// somebody else would have come. What it does from then on is.
func TestLockdepKnowsWhoComesBy(t *testing.T) {
	body := func(inside, talks bool) func(k *Task) {
		return func(k *Task) {
			l := mutexes(k, "l", "m")
			var gone Completion
			gone.Init(k, nil, "gone")
			var r PercpuRef
			r.Init(k, nil, "ref", GFP_KERNEL, func(k *Task) { gone.Complete(k) })
			var queue, other sim.Object
			k.Own(&queue, "list", "queue")
			k.Own(&other, "list", "other")
			queued := 0
			run := func(k *Task, inside bool) {
				k.Step(sim.Op{Verb: "dispatch", Obj: &queue})
				if queued == 0 {
					return
				}
				queued--
				if inside {
					nested(k, l[1])
				}
				r.Put(k)
			}
			k.Go("submitter", func(k *Task) {
				if r.TrygetLive(k) {
					k.Step(sim.Op{Verb: "insert", Obj: &queue})
					queued++
					k.Step(sim.Op{Verb: "look", Obj: &other})
					run(k, false)
				}
			})
			k.Go("passer-by", func(k *Task) {
				if talks { // of something else
					k.Step(sim.Op{Verb: "look", Obj: &other})
				}
				if !inside {
					nested(k, l[1])
				}
				run(k, inside)
			})
			k.Go("closer", func(k *Task) {
				l[0].Lock(k)
				r.Kill(k)
				gone.Wait(k)
				l[0].Unlock(k)
			})
			nested(k, l[1], l[0])
			k.Explore()
			r.Exit(k)
		}
	}
	for _, talks := range []bool{false, true} {
		everywhereSilent(t, body(false, talks))
		on.Finds(t, explore.NewDPOR(), body(true, talks), LockOrder)
	}
}
