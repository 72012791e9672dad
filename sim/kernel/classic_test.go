package kernel

import (
	"fmt"
	"testing"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// Programs of textbooks, of which it is known what every exploration must say.

// peterson is Peterson's algorithm for two tasks, each of which goes through its section
// once. entry is what it stores before it looks whether it may go on.
func peterson(entry func(k *Task, i int, flag []Shared[bool], turn *Shared[int])) func(k *Task) {
	return func(k *Task) {
		flag := make([]Shared[bool], 2)
		for i := range flag {
			flag[i].Init(k, nil, fmt.Sprintf("flag%d", i), false)
		}
		var turn Shared[int]
		turn.Init(k, nil, "turn", 0)
		var inside Shared[int]
		inside.Init(k, nil, "inside", 0)
		for i := range 2 {
			j := 1 - i
			k.Go(fmt.Sprintf("task%d", i), func(k *Task) {
				entry(k, i, flag, &turn)
				for flag[j].Load(k) && turn.Load(k) == j { // two loads, as it would be
					// Until it is worth another look.
					k.Step(sim.Op{Verb: "spin", Obj: &flag[j].obj, Also: &turn.obj, Class: sim.Read, Guard: when(func() bool {
						return !flag[j].v || turn.v != j
					})})
				}
				if inside.Update(k, func(n int) int { return n + 1 }) > 1 {
					k.BUG("both tasks are in the section")
				}
				inside.Update(k, func(n int) int { return n - 1 })
				flag[i].Store(k, false)
			})
		}
		k.Explore()
	}
}

func TestClassicPeterson(t *testing.T) {
	for _, s := range []explore.Strategy{explore.NewDPOR(), explore.NewDFS(explore.Coverage{Bound: explore.All})} {
		on.Survives(t, s, peterson(func(k *Task, i int, flag []Shared[bool], turn *Shared[int]) {
			flag[i].Store(k, true)
			turn.Store(k, 1-i)
		}))
	}
	for name, entry := range map[string]func(k *Task, i int, flag []Shared[bool], turn *Shared[int]){
		"without the flag": func(k *Task, i int, _ []Shared[bool], turn *Shared[int]) {
			turn.Store(k, 1-i)
		},
		"without the turn": func(k *Task, i int, flag []Shared[bool], _ *Shared[int]) {
			if i == 0 { // the other one sets it
				flag[i].Store(k, true)
			}
		},
		"turn before flag": func(k *Task, i int, flag []Shared[bool], turn *Shared[int]) {
			turn.Store(k, 1-i)
			flag[i].Store(k, true)
		},
	} {
		t.Run(name, func(t *testing.T) {
			on.Finds(t, explore.NewDPOR(), peterson(entry), sim.Bug)
			sometimes(t, sim.Bug, "both tasks are in the section", peterson(entry))
		})
	}
}

// philosophers dine with a fork between each two; with order, each takes the fork with the
// lower number first.
func philosophers(n int, order, off bool) func(k *Task) {
	return func(k *Task) {
		k.K.Lockdep.Off = off
		forks := make([]Mutex, n)
		for i := range forks {
			forks[i].Init(k, nil, fmt.Sprintf("fork%d", i))
		}
		for i := range n {
			left, right := i, (i+1)%n
			if order {
				left, right = min(left, right), max(left, right)
			}
			k.Go(fmt.Sprintf("philosopher%d", i), both(&forks[left], &forks[right]))
		}
		k.Explore()
	}
}

func TestClassicPhilosophers(t *testing.T) {
	for n := 2; n <= 4; n++ {
		if n < 4 { // they are too many to try them all by brute force
			sometimes(t, sim.Deadlock, fmt.Sprintf("philosopher%d waits for mutex_lock fork0 held by philosopher0", n-1), philosophers(n, false, true))
		}
		on.Finds(t, explore.NewDPOR(), philosophers(n, false, true), sim.Deadlock)
		on.Survives(t, explore.NewDPOR(), philosophers(n, true, true))

		// One dines after the other, and it shows all the same.
		fails(t, LockOrder, "possible circular locking dependency", philosophers(n, false, false))
		on.Survives(t, explore.NewDPOR(), philosophers(n, true, false))
	}
}

// Two locks in two orders are a deadlock with mutexes, and none with ww_mutexes and
// back-off, which need no order.
func TestClassicABBA(t *testing.T) {
	mutexes := func(off bool) func(k *Task) {
		return func(k *Task) {
			k.K.Lockdep.Off = off
			a, b := twoMutexes(k)
			k.Go("one", both(a, b))
			k.Go("two", both(b, a))
			k.Explore()
		}
	}
	sometimes(t, sim.Deadlock, "one waits for mutex_lock b held by two; two waits for mutex_lock a held by one", mutexes(true))
	fails(t, LockOrder, "possible circular locking dependency: b -> a -> b", mutexes(false))
	for _, algo := range []WWAlgorithm{WaitDie, WoundWait} {
		always(t, ring(2, algo))
		on.Survives(t, explore.NewDPOR(), ring(2, algo))
	}
}
