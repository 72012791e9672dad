package kernel

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// foretold checks that a run by the default rule, in which nothing goes wrong, tells of the
// ring.
func foretold(t *testing.T, ring string, body func(k *Task)) {
	t.Helper()
	fails(t, LockOrder, ring, body)
	off := func(k *Task) { k.K.Lockdep.Off = true; body(k) }
	passes(t, off)
	sometimes(t, sim.Deadlock, "", off) // and it is true
}

// Whoever waits for a completion waits for the locks that are taken on the way to it.
func TestLockdepOfCompletions(t *testing.T) {
	// The waiter has a; the helper takes b before it completes; a third one takes a inside b.
	body := func(helper func(k *Task, b *Mutex, c *Completion)) func(k *Task) {
		return func(k *Task) {
			l := mutexes(k, "a", "b")
			var c Completion
			c.Init(k, nil, "done")
			k.Go("waiter", func(k *Task) {
				l[0].Lock(k)
				c.Wait(k)
				l[0].Unlock(k)
			})
			k.Go("helper", func(k *Task) { helper(k, l[1], &c) })
			k.Go("third", func(k *Task) { nested(k, l[1], l[0]) })
			k.Explore()
		}
	}
	foretold(t, "(completion)done -> b -> a -> (completion)done", body(func(k *Task, b *Mutex, c *Completion) {
		nested(k, b)
		c.Complete(k)
	}))
	everywhereSilent(t, body(func(k *Task, b *Mutex, c *Completion) {
		c.Complete(k)
		nested(k, b)
	}))
}

// What the waiter saw under the lock may be why it waits: then there is no ring.
func TestLockdepKnowsWhatWasSeen(t *testing.T) {
	everywhereSilent(t, func(k *Task) {
		l := mutexes(k, "a")[0]
		var busy Field[bool]
		busy.Init(k, nil, "busy", false)
		var c Completion
		c.Init(k, nil, "idle")
		k.Go("user", func(k *Task) {
			l.Lock(k)
			busy.Set(k, true)
			l.Unlock(k)
			k.Step(sim.Op{Verb: "works"})
			c.CompleteAll(k)
		})
		k.Go("closer", func(k *Task) {
			l.Lock(k)
			if busy.Get(k) {
				c.Wait(k)
			}
			l.Unlock(k)
		})
		k.Explore()
	})
}

// Whoever waits for the last reference with a lock held that a holder of a reference takes.
func TestLockdepOfReferences(t *testing.T) {
	body := func(before, after bool) func(k *Task) {
		return func(k *Task) {
			l := mutexes(k, "l")[0]
			var gone Completion
			gone.Init(k, nil, "gone")
			var r PercpuRef
			r.Init(k, nil, "ref", GFP_KERNEL, func(k *Task) { gone.Complete(k) })
			k.Go("holder", func(k *Task) {
				if before {
					nested(k, l)
				}
				if !r.TrygetLive(k) {
					return
				}
				if after {
					nested(k, l)
				}
				r.Put(k)
			})
			k.Go("drainer", func(k *Task) {
				l.Lock(k)
				r.Kill(k)
				gone.Wait(k)
				l.Unlock(k)
			})
			k.Explore()
			r.Exit(k)
		}
	}
	foretold(t, "(completion)gone -> l -> (completion)gone", body(false, true))
	everywhereSilent(t, body(true, false))
	everywhereSilent(t, body(false, false))
}

// The first reference goes with the kill. Who has killed an object is not needed by a waiter that would
// have done so, however often it held other references of it; a waiter that leaves that to somebody
// else needs all of it.
func TestLockdepOfKills(t *testing.T) {
	body := func(itself, apart bool) func(k *Task) {
		return func(k *Task) {
			ring, list, owner := mutexes(k, "ring")[0], mutexes(k, "list")[0], mutexes(k, "owner")[0]
			nested(k, ring, list)
			var gone Completion
			gone.Init(k, nil, "gone")
			var r PercpuRef
			r.Init(k, nil, "ref", GFP_KERNEL, func(k *Task) { gone.Complete(k) })
			alive := true
			kill := func(k *Task) {
				owner.Lock(k)
				if alive {
					alive = false
					r.Kill(k)
				}
				owner.Unlock(k)
			}
			k.Go("user", func(k *Task) {
				if r.TrygetLive(k) {
					r.Put(k)
				}
				nested(k, ring)
				if apart {
					k.Go("closer", kill)
				} else {
					kill(k)
				}
			})
			k.Go("drainer", func(k *Task) {
				list.Lock(k)
				if itself {
					kill(k)
				}
				gone.Wait(k)
				list.Unlock(k)
			})
			k.Go("third", func(k *Task) { nested(k, ring, list) })
			k.Explore()
			r.Exit(k)
		}
	}
	for _, apart := range []bool{false, true} {
		everywhereSilent(t, body(true, apart))
		foretold(t, "(completion)gone -> ring -> list -> (completion)gone", body(false, apart))
	}
}

// What a task does after it has dropped a reference does not depend on that having been the last one, nor
// on who has killed the object.
func TestLockdepAfterTheLastReference(t *testing.T) {
	everywhereSilent(t, func(k *Task) {
		free := 1
		var tags sim.Object
		k.Own(&tags, "tags", "tags")
		get := func(k *Task) {
			k.Await("get tag", &tags, sim.Write, func() bool { return free > 0 })
			free--
		}
		put := func(k *Task) { k.Step(sim.Op{Verb: "put tag", Obj: &tags}); free++ }
		refs := make([]PercpuRef, 2)
		for i, l := range mutexes(k, "one", "other") {
			r := &refs[i]
			r.InitFlags(k, nil, "refs", RefInitAtomic, GFP_KERNEL, func(*Task) {})
			r.Get(k)
			k.Go("killer", func(k *Task) {
				l.Lock(k)
				r.Kill(k)
				get(k)
				put(k)
				l.Unlock(k)
			})
		}
		k.Go("device", func(k *Task) {
			for i := range refs {
				get(k)
				refs[i].Put(k)
				put(k)
			}
		})
		k.Explore()
		for i := range refs {
			refs[i].Exit(k)
		}
	})
}

// A wait with a lock held that reclaim takes, for somebody who allocates.
func TestLockdepOfAllocatingHelpers(t *testing.T) {
	body := func(gfp GFP) func(k *Task) {
		return func(k *Task) {
			l := mutexes(k, "inode")[0]
			k.K.RegisterShrinker("inodes", func(k *Task) { nested(k, l) })
			reclaims := k.FsReclaim()
			reclaims.Acquire(k, true)
			nested(k, l)
			reclaims.Release(k)
			var c Completion
			c.Init(k, nil, "done")
			k.Go("waiter", func(k *Task) {
				l.Lock(k)
				c.Wait(k)
				l.Unlock(k)
			})
			k.Go("helper", func(k *Task) {
				k.MayFail(gfp, "buffer")
				k.Step(sim.Op{Verb: "works"})
				c.Complete(k)
			})
			k.Explore()
		}
	}
	fails(t, LockOrder, "(completion)done -> fs_reclaim -> inode -> (completion)done", body(GFP_KERNEL))
	everywhereSilent(t, body(GFP_NOFS))
	everywhereSilent(t, body(GFP_ATOMIC))
}

// Waiting for a tag, or the like, is waiting for who has one, from when it was taken.
func TestLockdepOfSupplies(t *testing.T) {
	body := func(inside bool) func(k *Task) {
		return func(k *Task) {
			l := mutexes(k, "l")[0]
			free := 1
			var tags sim.Object
			k.Own(&tags, "tags", "tags")
			get := func(k *Task) {
				k.Await("get tag", &tags, sim.Write, func() bool { return free > 0 })
				free--
			}
			put := func(k *Task) { k.Step(sim.Op{Verb: "put tag", Obj: &tags}); free++ }
			k.Go("user", func(k *Task) {
				if !inside {
					nested(k, l)
				}
				get(k)
				if inside {
					nested(k, l)
				}
				k.Step(sim.Op{Verb: "works"})
				put(k)
			})
			k.Go("holder", func(k *Task) {
				l.Lock(k)
				get(k)
				put(k)
				l.Unlock(k)
			})
			k.Explore()
		}
	}
	everywhereSilent(t, body(false))
	sometimes(t, sim.Deadlock, "", body(true))
	// What is begun as part of taking one comes after it, and who gives it back then needs no lock.
	everywhereSilent(t, func(k *Task) {
		free := 1
		var tags sim.Object
		k.Own(&tags, "tags", "tags")
		for _, l := range mutexes(k, "one", "other") {
			k.Go("user", func(k *Task) {
				l.Lock(k)
				k.Await("get tag", &tags, sim.Write, func() bool { return free > 0 })
				free--
				k.Go("device", func(k *Task) { k.Step(sim.Op{Verb: "put tag", Obj: &tags}); free++ })
				l.Unlock(k)
			})
		}
		k.Explore()
	})
}

// A subclass is a class of its own, which has an order, too.
func TestLockdepSubclasses(t *testing.T) {
	with := func(one, other int) func(k *Task) {
		return func(k *Task) {
			l := mutexes(k, "ring#1", "ring#2")
			for i, sub := range []int{one, other} {
				first, second := l[i], l[1-i]
				if sub < 0 {
					first.LockNested(k, 1)
					second.Lock(k)
				} else {
					first.Lock(k)
					second.LockNested(k, 1)
				}
				second.Unlock(k)
				first.Unlock(k)
			}
		}
	}
	passes(t, with(1, 1))
	fails(t, LockOrder, "ring/1 -> ring -> ring/1", with(1, -1))
}

// The same for spinlocks: a queue is locked inside another one only as its subclass.
func TestLockdepSpinlockSubclasses(t *testing.T) {
	with := func(irqsave bool, subclasses ...int) func(k *Task) {
		return func(k *Task) {
			var l [2]Spinlock
			l[0].Init(k, nil, "queue#1")
			l[1].Init(k, nil, "queue#2")
			for i, sub := range subclasses {
				first, second := &l[i], &l[1-i]
				switch {
				case sub == 0:
					first.Lock(k)
					second.Lock(k)
				case sub < 0:
					first.LockNested(k, 1)
					second.Lock(k)
				case irqsave:
					first.Lock(k)
					second.UnlockIrqrestore(k, second.LockIrqsaveNested(k, sub))
					first.Unlock(k)
					continue
				default:
					first.Lock(k)
					second.LockNested(k, sub)
				}
				second.Unlock(k)
				first.Unlock(k)
			}
		}
	}
	passes(t, with(false, 1, 1))
	passes(t, with(true, 1, 1))
	fails(t, LockOrder, "possible recursive locking", with(false, 0))
	fails(t, LockOrder, "queue/1 -> queue -> queue/1", with(false, 1, -1))
	fails(t, LockOrder, "queue/1 -> queue -> queue/1", with(true, 1, -1))
}

// everywhereSilent explores all interleavings.
func everywhereSilent(t *testing.T, body func(k *Task)) {
	t.Helper()
	on.Survives(t, explore.NewDPOR(), body)
}

// A ring whose edges come from different runs is found when all of them have been seen, and
// each of its edges has a run that shows it.
func TestLockHistory(t *testing.T) {
	either := func(same bool) func(*sim.Task) {
		return on.Body(func(k *Task) {
			l := mutexes(k, "a", "b")
			k.Go("one", func(k *Task) {
				if k.Choose(2, "order") == 0 || same {
					nested(k, l[0], l[1])
				} else {
					nested(k, l[1], l[0])
				}
			})
			k.Go("other", func(k *Task) { nested(k, l[0]) })
			k.Explore()
		})
	}
	explored := func(s explore.Strategy, workers int, same bool) *explore.Found {
		r := explore.Run(context.Background(), either(same), s, explore.Options{Observer: NewLockHistory(), Executions: 200, Workers: workers})
		if r.Found != nil {
			t.Cleanup(r.Found.Machine.Close)
		}
		return r.Found
	}
	require.Nil(t, explored(explore.NewDPOR(), 1, true))
	f := explored(explore.NewDPOR(), 1, false)
	require.NotNil(t, f)
	require.Equal(t, LockOrder, f.Failure.Kind)
	require.Contains(t, f.Failure.Message, "from 2 runs: a -> b -> a")
	require.Len(t, f.Others, 1)
	require.Contains(t, strings.Join(f.Failure.Detail, "\n"), "b -> a: by one (task 1)")
	// Each run shows its edge, and fails by itself in no way.
	m := sim.NewMachine()
	defer m.Close()
	for i, w := range append([]explore.Witness{{What: "a -> b", Schedule: f.Schedule, Hash: f.Hash}}, f.Others...) {
		r := m.Run(explore.NewReplay(w.Schedule), either(false))
		require.Nil(t, r.Failure)
		require.Equal(t, w.Hash, r.Hash)
		h := NewLockHistory()
		h.Observe(1, m, r)
		for j, way := range []string{"a -> b", "b -> a"} {
			shown := false
			for _, e := range h.edges {
				shown = shown || e.String() == way
			}
			require.Equal(t, i == j, shown, "%v in run %d", way, i)
		}
	}
	// However many workers share the runs, they say the same.
	one, two := explored(explore.NewRandom(7), 1, false), explored(explore.NewRandom(7), 2, false)
	require.Equal(t, one.Failure.Message, two.Failure.Message)
	require.Equal(t, one.Failure.Detail, two.Failure.Detail)
	require.Equal(t, one.Schedule, two.Schedule)
	require.Equal(t, one.Others, two.Others)
}
