package kernel

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// everywhere checks that each interleaving fails in the way that is told: lockdep finds
// what is wrong from any run, whether or not it deadlocks.
func everywhere(t *testing.T, kind sim.Kind, message string, body func(k *Task)) {
	t.Helper()
	m := sim.NewMachine()
	defer m.Close()
	s := explore.NewDFS(explore.Coverage{Bound: explore.All})
	for more := true; more; {
		r := m.Run(s, on.Body(body))
		require.NotNil(t, r.Failure, "schedule %s passes", r.Schedule())
		require.Equal(t, kind, r.Failure.Kind, r.Failure.Message)
		require.Contains(t, r.Failure.Message, message)
		more = s.Done(r)
	}
}

// mutexes makes locks of the given names.
func mutexes(k *Task, names ...string) []*Mutex {
	var out []*Mutex
	for _, n := range names {
		mu := &Mutex{}
		mu.Init(k, nil, n)
		out = append(out, mu)
	}
	return out
}

// nested takes the locks one in the other, and gives them up.
func nested(k *Task, locks ...*Mutex) {
	for _, l := range locks {
		l.Lock(k)
	}
	for _, l := range locks {
		l.Unlock(k)
	}
}

// What one task does in a row is enough to predict a deadlock of two.
func TestLockdepOrder(t *testing.T) {
	for _, c := range []struct {
		name  string
		finds string
		body  func(k *Task, a, b, c *Mutex)
	}{
		{"same order", "", func(k *Task, a, b, c *Mutex) { nested(k, a, b, c); nested(k, a, c); nested(k, b, c) }},
		{"one after the other", "", func(k *Task, a, b, _ *Mutex) { nested(k, a); nested(k, b); nested(k, a) }},
		{"two", "b -> a -> b", func(k *Task, a, b, _ *Mutex) { nested(k, a, b); nested(k, b, a) }},
		{"three", "c -> a -> b -> c", func(k *Task, a, b, c *Mutex) { nested(k, a, b); nested(k, b, c); nested(k, c, a) }},
		{"not the innermost", "c -> a -> c", func(k *Task, a, b, c *Mutex) { nested(k, a, b, c); nested(k, c, a) }},
		{"unlocked out of order", "", func(k *Task, a, b, c *Mutex) {
			a.Lock(k)
			b.Lock(k)
			a.Unlock(k)
			c.Lock(k)
			c.Unlock(k)
			b.Unlock(k)
			nested(k, a, c) // a was not held when c was taken
		}},
		{"still held", "c -> b -> c", func(k *Task, a, b, c *Mutex) {
			a.Lock(k)
			b.Lock(k)
			a.Unlock(k)
			c.Lock(k)
			c.Unlock(k)
			b.Unlock(k)
			nested(k, c, b)
		}},
		{"a trylock makes no order", "", func(k *Task, a, b, _ *Mutex) {
			nested(k, a, b)
			b.Lock(k)
			require.True(t, a.Trylock(k))
			a.Unlock(k)
			b.Unlock(k)
		}},
		{"inside a trylock there is one", "a -> b -> a", func(k *Task, a, b, _ *Mutex) {
			nested(k, b, a)
			require.True(t, a.Trylock(k))
			nested(k, b)
			a.Unlock(k)
		}},
	} {
		body := func(k *Task) {
			l := mutexes(k, "a", "b", "c")
			c.body(k, l[0], l[1], l[2])
		}
		t.Run(c.name, func(t *testing.T) {
			if c.finds == "" {
				passes(t, body)
				return
			}
			fails(t, LockOrder, "possible circular locking dependency: "+c.finds, body)
			passes(t, func(k *Task) {
				k.K.Lockdep.Off = true
				body(k)
			})
		})
	}
}

// Three tasks take two of three locks each, in every way there is. Lockdep says of the
// first run, in which nothing goes wrong, exactly what the exploration of all runs shows.
func TestLockdepPredicts(t *testing.T) {
	pairs := [][2]int{{0, 1}, {1, 0}, {0, 2}, {2, 0}, {1, 2}, {2, 1}}
	deadlocks := 0
	for i := range len(pairs) * len(pairs) * len(pairs) {
		of := [][2]int{pairs[i%6], pairs[i/6%6], pairs[i/36]}
		body := func(off bool) func(k *Task) {
			return func(k *Task) {
				k.K.Lockdep.Off = off
				l := mutexes(k, "a", "b", "c")
				for n, p := range of {
					k.Go(fmt.Sprint("task", n), func(k *Task) { nested(k, l[p[0]], l[p[1]]) })
				}
				k.Explore()
			}
		}
		predicted := on.Run(body(false))
		s := explore.NewDPOR()
		m := sim.NewMachine()
		found := false
		for more := true; more && !found; {
			r := m.Run(s, on.Body(body(true)))
			found = r.Failure != nil
			more = s.Done(r)
		}
		m.Close()
		require.Equal(t, found, predicted != nil, "%v: %v", of, predicted)
		if found {
			require.Equal(t, LockOrder, predicted.Kind)
			deadlocks++
		}
	}
	require.Greater(t, deadlocks, 50)
}

// What is right in every interleaving is not complained of in any, and what is wrong is
// found in each that does not deadlock.
func TestLockdepInterleaved(t *testing.T) {
	tasks := func(right bool) func(k *Task) {
		return func(k *Task) {
			l := mutexes(k, "a", "b")
			k.Go("ab", func(k *Task) { nested(k, l[0], l[1]) })
			k.Go("ba", func(k *Task) {
				if right {
					nested(k, l[0], l[1])
				} else {
					nested(k, l[1], l[0])
				}
			})
			k.Explore()
		}
	}
	always(t, tasks(true))
	kinds := map[sim.Kind]int{}
	m := sim.NewMachine()
	defer m.Close()
	s := explore.NewDFS(explore.Coverage{Bound: explore.All})
	for more := true; more; {
		r := m.Run(s, on.Body(tasks(false)))
		require.NotNil(t, r.Failure, "schedule %s passes", r.Schedule())
		kinds[r.Failure.Kind]++
		more = s.Done(r)
	}
	require.Len(t, kinds, 2)
	require.NotZero(t, kinds[sim.Deadlock])
	require.NotZero(t, kinds[LockOrder])
}

// Two locks of one class must not be nested: nothing says in which order. What tells
// objects of a type apart is not part of the class.
func TestLockdepRecursion(t *testing.T) {
	for _, names := range [][]string{{"lock", "lock"}, {"map#1.lock", "map#2.lock"}} {
		fails(t, LockOrder, "possible recursive locking: init (task 0) takes "+names[1]+" while it holds "+names[0]+" of the same class", func(k *Task) {
			l := mutexes(k, names...)
			nested(k, l[0], l[1])
		})
		passes(t, func(k *Task) {
			l := mutexes(k, names...)
			nested(k, l[0])
			nested(k, l[1])
			l[0].Lock(k)
			require.True(t, l[1].Trylock(k))
			l[1].Unlock(k)
			l[0].Unlock(k)
		})
	}
	// So an order of classes holds for all of their objects.
	fails(t, LockOrder, "list -> map.lock -> list", func(k *Task) {
		l := mutexes(k, "map#1.lock", "map#2.lock", "list")
		nested(k, l[0], l[2])
		nested(k, l[2], l[1])
	})
}

// Locks of a ww class are nested in any order within one acquire context, and in none
// without.
func TestLockdepWW(t *testing.T) {
	for _, with := range []bool{true, false} {
		body := func(k *Task) {
			class := k.WWClass("resv", WaitDie)
			var a, b WWMutex
			a.Init(k, nil, class, "a")
			b.Init(k, nil, class, "b")
			for _, order := range [][]*WWMutex{{&a, &b}, {&b, &a}} {
				var ctx *AcquireCtx
				if with {
					ctx = class.AcquireInit(k)
				}
				for _, w := range order {
					require.Equal(t, OK, w.Lock(k, ctx))
				}
				for _, w := range order {
					w.Unlock(k)
				}
				if with {
					ctx.Fini(k)
				}
			}
		}
		if with {
			passes(t, body)
		} else {
			fails(t, LockOrder, "possible recursive locking", body)
		}
	}
	// To other locks there is an order all the same.
	fails(t, LockOrder, "m -> resv_mutex -> m", func(k *Task) {
		class := k.WWClass("resv", WaitDie)
		var w WWMutex
		w.Init(k, nil, class, "w")
		mu := mutexes(k, "m")[0]
		ctx := class.AcquireInit(k)
		w.Lock(k, ctx)
		nested(k, mu)
		w.Unlock(k)
		ctx.Fini(k)
		mu.Lock(k)
		w.Lock(k, nil)
	})
}

// A map is held and waited for like a lock.
func TestLockdepMaps(t *testing.T) {
	for _, c := range []struct {
		name  string
		finds string
		body  func(k *Task, m *LockMap, mu *Mutex)
	}{
		{"waiting with a lock that the other side takes", "m -> map -> m", func(k *Task, m *LockMap, mu *Mutex) {
			m.Acquire(k, true) // as a fence that is signalled
			nested(k, mu)
			m.Release(k)
			mu.Lock(k)
			m.Wait(k)
			mu.Unlock(k)
		}},
		{"waiting with another lock", "", func(k *Task, m *LockMap, mu *Mutex) {
			m.Acquire(k, true)
			nested(k, mutexes(k, "other")[0])
			m.Release(k)
			mu.Lock(k)
			m.Wait(k)
			mu.Unlock(k)
		}},
		{"acquiring as of a trylock", "", func(k *Task, m *LockMap, mu *Mutex) {
			m.Acquire(k, true)
			nested(k, mu)
			m.Release(k)
			mu.Lock(k)
			m.Acquire(k, true)
			m.Release(k)
			mu.Unlock(k)
		}},
		{"acquiring as of a lock", "m -> map -> m", func(k *Task, m *LockMap, mu *Mutex) {
			m.Acquire(k, true)
			nested(k, mu)
			m.Release(k)
			mu.Lock(k)
			m.Acquire(k, false)
			m.Release(k)
			mu.Unlock(k)
		}},
		{"waiting inside itself", "possible recursive locking", func(k *Task, m *LockMap, mu *Mutex) {
			m.Acquire(k, true)
			m.Wait(k)
			m.Release(k)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := func(k *Task) { c.body(k, k.LockMap("map"), mutexes(k, "m")[0]) }
			if c.finds == "" {
				passes(t, body)
			} else {
				fails(t, LockOrder, c.finds, body)
			}
		})
	}
	passes(t, func(k *Task) {
		m := k.LockMap("map")
		m.Acquire(k, false)
		require.True(t, k.LockMap("map").Held(k), "the map of a name is one")
		require.False(t, k.LockMap("other").Held(k))
		m.Release(k)
		require.False(t, m.Held(k))
	})
	fails(t, sim.Misuse, "bad unlock balance: init (task 0) releases map", func(k *Task) { k.LockMap("map").Release(k) })
	fails(t, Context, "one returned with locks held: map", func(k *Task) {
		k.Go("one", func(k *Task) { k.LockMap("map").Acquire(k, false) })
		k.Explore()
	})
}

// An order that a subsystem documents is checked from the first run on.
func TestLockdepDocumented(t *testing.T) {
	documented := func(body func(k *Task, outer, inner *Mutex)) func(k *Task) {
		return func(k *Task) {
			l := mutexes(k, "outer", "middle", "inner")
			k.Documented(k.LockMap("outer"), k.LockMap("middle"), k.LockMap("inner"))
			body(k, l[0], l[2])
		}
	}
	passes(t, documented(func(k *Task, outer, inner *Mutex) { nested(k, outer, inner) }))
	f := fails(t, LockOrder, "inner -> outer -> middle -> inner", documented(func(k *Task, outer, inner *Mutex) { nested(k, inner, outer) }))
	require.Contains(t, f.Detail, "outer -> middle: the documented order")
	fails(t, LockOrder, "the documented order b -> a contradicts what is known", func(k *Task) {
		k.Documented(k.LockMap("a"), k.LockMap("b"))
		k.Documented(k.LockMap("b"), k.LockMap("a"))
	})
}

// The report names what is taken with what held, and where each part of the ring comes
// from.
func TestLockdepReport(t *testing.T) {
	m := sim.NewMachine()
	m.Trace(true)
	defer m.Close()
	f := m.Run(sim.Default{}, on.Body(func(k *Task) {
		l := mutexes(k, "a", "b")
		k.Go("one", func(k *Task) { nested(k, l[0], l[1]) })
		k.Go("two", func(k *Task) { nested(k, l[1], l[0]) })
		k.Explore()
	})).Failure
	require.Equal(t, LockOrder, f.Kind)
	detail := strings.Join(f.Detail, "\n")
	for _, line := range []string{
		"two (task 2) takes a, and holds b (taken by two (task 2) at step 8)",
		"b -> a: by two (task 2) at step 8, held since by two (task 2) at step 8\n  Call trace: kernel.(*Mutex).Lock <- kernel.nested",
		"a -> b: by one (task 1) at step 2, held since by one (task 1) at step 2\n  Call trace: kernel.(*Mutex).Lock <- kernel.nested",
	} {
		require.Contains(t, detail, line)
	}
}

// A lock that interrupts take must be taken with them disabled, and so must what is taken
// inside it.
func TestLockdepSafeToUnsafe(t *testing.T) {
	// The interrupt takes the outer lock; a task takes the inner one in it, with
	// interrupts off; and the inner one alone.
	nesting := func(raise func(k *Task, f func(*Task)), alone func(k *Task, inner *Spinlock)) func(k *Task) {
		return func(k *Task) {
			var outer, inner Spinlock
			outer.Init(k, nil, "outer")
			inner.Init(k, nil, "inner")
			raise(k, func(k *Task) {
				outer.Lock(k)
				outer.Unlock(k)
			})
			k.Go("nesting", func(k *Task) {
				flags := outer.LockIrqsave(k)
				inner.Lock(k)
				inner.Unlock(k)
				outer.UnlockIrqrestore(k, flags)
			})
			k.Go("alone", func(k *Task) { alone(k, &inner) })
			k.Explore()
		}
	}
	hardirq := func(k *Task, f func(*Task)) { k.Interrupt("irq", f) }
	softirq := func(k *Task, f func(*Task)) { k.Softirq("softirq", f) }
	plain := func(k *Task, l *Spinlock) { l.Lock(k); l.Unlock(k) }
	irqsave := func(k *Task, l *Spinlock) { l.UnlockIrqrestore(k, l.LockIrqsave(k)) }
	bh := func(k *Task, l *Spinlock) { l.LockBh(k); l.UnlockBh(k) }
	fails(t, LockOrder, "hardirq-safe -> hardirq-unsafe lock order: outer -> inner", nesting(hardirq, plain))
	fails(t, LockOrder, "hardirq-safe -> hardirq-unsafe lock order: outer -> inner", nesting(hardirq, bh))
	fails(t, LockOrder, "softirq-safe -> softirq-unsafe lock order: outer -> inner", nesting(softirq, plain))
	passes(t, nesting(hardirq, irqsave))
	passes(t, nesting(softirq, irqsave))
	passes(t, nesting(softirq, bh))
	on.Finds(t, explore.NewDPOR(), nesting(hardirq, plain), LockOrder)
	on.Survives(t, explore.NewDPOR(), nesting(hardirq, irqsave))
}
