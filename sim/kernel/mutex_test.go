package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
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

var mutexCases = cases{
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
		fails(t, Context, "task returned with locks held: [a b]", func(k *Task) {
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
	{"C-MTX-06", func(t *testing.T) {
		require.Equal(t, set("2"), outcomes(t, counting(true)))
		require.Equal(t, set("1", "2"), outcomes(t, counting(false)), "an update can be lost")
	}},
}

func TestMutexABBA(t *testing.T) {
	abba := func(second func(a, b *Mutex) func(*Task)) func(k *Task) {
		return func(k *Task) {
			a, b := twoMutexes(k)
			k.Go("one", both(a, b))
			k.Go("two", second(a, b))
			k.Explore()
		}
	}
	always(t, abba(func(a, b *Mutex) func(*Task) { return both(a, b) }))

	f := sometimes(t, sim.Deadlock, "one waits for mutex_lock b held by two; two waits for mutex_lock a held by one",
		abba(func(a, b *Mutex) func(*Task) { return both(b, a) }))
	require.Len(t, f.Detail, 2)
	require.Contains(t, f.Detail[0], "one (task 1) is blocked: mutex_lock b, held by two (task 2)")
}

// Three locks taken in a ring: the cycle in the message goes all the way round.
func TestMutexRing(t *testing.T) {
	sometimes(t, sim.Deadlock, "three waits for mutex_lock a held by one", func(k *Task) {
		a, b := twoMutexes(k)
		c := &Mutex{}
		c.Init(k, nil, "c")
		k.Go("one", both(a, b))
		k.Go("two", both(b, c))
		k.Go("three", both(c, a))
		k.Explore()
	})
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
