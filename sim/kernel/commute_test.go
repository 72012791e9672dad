package kernel

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/internal/simtest"
	"dmasim/sim"
)

// What the model declares to commute must commute, or a strategy that reduces by
// commutation loses interleavings. So for each of many states, and each two
// operations, both orders are run. If one of the two runs has no conflict between the
// accesses of the operations, both must give the same results and the same state.

// state sets up a state, and the operations that are to be tried on it.
type state struct {
	name string
	// make returns the operations, each of which says what it returned, and what can
	// be seen of the state afterwards.
	make func(k *Task) (ops []operation, see func() string)
}

type operation struct {
	name string
	do   func(k *Task) any
}

// ordered runs operations i and j of the state in an order, and tells what came of it
// and whether they shared an object, with and without a conflict.
func ordered(s state, i, j int, o simtest.Order) (result string, shared, conflict bool) {
	m := sim.NewMachine()
	defer m.Close()
	var results [2]any
	done, seen := 0, ""
	r := m.Run(o, on.Body(func(k *Task) {
		ops, see := s.make(k)
		for n, op := range []operation{ops[i], ops[j]} {
			k.Go(string("ab"[n]), func(k *Task) {
				results[n] = op.do(k)
				if done++; done == 2 {
					seen = see()
				}
				k.rcu = 0 // a section that was left open is no subject here
			})
		}
		k.Explore()
	}))
	result = fmt.Sprint(results, seen)
	if r.Failure != nil && done < 2 {
		result = string(r.Failure.Kind) // the message names the task
	}
	shared, conflict = simtest.Overlap(m, "a", "b")
	return result, shared, conflict
}

// notCommuting tries every two operations of the state, and lists those that do not
// commute although nothing declares a conflict. proved counts those that share an
// object, and rightly do not conflict.
func notCommuting(s state) (wrong []string, proved int) {
	var names []string
	on.Run(func(k *Task) {
		ops, _ := s.make(k)
		for _, op := range ops {
			names = append(names, op.name)
		}
	})
	for i := range names {
		for j := range names {
			ab, shared, conflict := ordered(s, i, j, simtest.Order{"a", "b"})
			ba, sharedToo, conflictToo := ordered(s, i, j, simtest.Order{"b", "a"})
			switch {
			case conflict && conflictToo:
			case ab != ba:
				wrong = append(wrong, fmt.Sprintf("%s: %s and %s: %s or %s", s.name, names[i], names[j], ab, ba))
			case shared && sharedToo && !conflict && !conflictToo:
				proved++
			}
		}
	}
	return wrong, proved
}

func checkCommuting(t *testing.T, states []state) {
	t.Helper()
	total := 0
	for _, s := range states {
		wrong, proved := notCommuting(s)
		require.Empty(t, wrong)
		total += proved
	}
	require.Positive(t, total, "no operations that share an object commute: nothing was proved")
}

// The checker itself finds a false declaration.
func TestCommuteChecker(t *testing.T) {
	wrong, _ := notCommuting(state{"field", func(k *Task) ([]operation, func() string) {
		var x Shared[int]
		x.Init(k, nil, "x", 0)
		store := func(v int) func(k *Task) any {
			return func(k *Task) any {
				k.Step(sim.Op{Verb: "store", Obj: &x.obj, Class: sim.Commute})
				x.v = v
				return nil
			}
		}
		return []operation{{"store 1", store(1)}, {"store 2", store(2)}}, func() string { return fmt.Sprint(x.v) }
	}})
	require.Len(t, wrong, 2) // in both roles
}

func TestRefcountCommutes(t *testing.T) {
	var states []state
	for _, n := range []int32{0, 1, 2, 3, RefcountMax - 2, RefcountMax - 1, RefcountMax, RefcountSaturated} {
		states = append(states, state{fmt.Sprint("count ", n), func(k *Task) ([]operation, func() string) {
			r := newRefcount(k, n)
			var ops []operation
			for name, op := range refcountOps {
				ops = append(ops, operation{name, func(k *Task) any { return op(r, k) }})
			}
			slices.SortFunc(ops, func(a, b operation) int { return strings.Compare(a.name, b.name) })
			return ops, func() string { return fmt.Sprint(r.n) }
		}})
	}
	checkCommuting(t, states)
}

func TestPercpuRefCommutes(t *testing.T) {
	ops := func(r *pref) ([]operation, func() string) {
		return []operation{
			{"get", func(k *Task) any { r.Get(k); return nil }},
			{"get elsewhere", func(k *Task) any { k.MoveTo(1); r.GetMany(k, 2); return nil }},
			{"put", func(k *Task) any { r.Put(k); return len(r.released) }},
			{"tryget", func(k *Task) any { return r.Tryget(k) }},
			{"tryget_live", func(k *Task) any { return r.TrygetLive(k) }},
			{"kill", func(k *Task) any { r.Kill(k); return nil }},
			{"switch_to_atomic", func(k *Task) any { r.SwitchToAtomic(k, nil); return nil }},
			{"switch_to_percpu", func(k *Task) any { r.SwitchToPercpu(k); return nil }},
			{"resurrect", func(k *Task) any { r.Resurrect(k); return nil }},
			{"is_zero", func(k *Task) any { return r.IsZero(k) }},
			{"is_dying", func(k *Task) any { return r.IsDying(k) }},
			{"exit", func(k *Task) any { k.Step(opStep); r.Exit(k); return nil }},
		}, func() string { return fmt.Sprint(r.Count(), r.atomic, r.dead, r.data != nil, len(r.released)) }
	}
	var states []state
	add := func(name string, flags RefFlags, ops func(*pref) ([]operation, func() string), prepare func(k *Task, r *pref)) {
		for refs := range 3 {
			states = append(states, state{fmt.Sprint(name, ", other references: ", refs), func(k *Task) ([]operation, func() string) {
				r := newPrefFlags(k, flags)
				for range refs {
					r.Get(k)
				}
				prepare(k, r)
				return ops(r)
			}})
		}
	}
	settle := func(k *Task) {
		var settled Completion
		settled.Init(k, nil, "settled")
		k.CallRCU("settled", settled.Complete)
		settled.Wait(k)
	}
	final := func(r *pref) ([]operation, func() string) { // without what ends the run
		all, see := ops(r)
		return slices.DeleteFunc(all, func(o operation) bool { return o.name == "resurrect" }), see
	}
	add("live", RefAllowReinit, ops, func(*Task, *pref) {})
	add("live, in atomic mode", RefInitAtomic, ops, func(*Task, *pref) {})
	for _, flags := range []RefFlags{0, RefAllowReinit} {
		add("in the grace period", flags, ops, func(k *Task, r *pref) {
			k.RCUReadLock()
			k.Step(opStep) // holds the grace period up
			r.Kill(k)
		})
	}
	killed := func(k *Task, r *pref) {
		r.Kill(k)
		settle(k)
	}
	add("killed", RefAllowReinit, ops, killed)
	add("killed for good", 0, final, killed)
	checkCommuting(t, states)
}

// Refs of which neither is killed under the lock for longer than an operation do not
// disturb each other.
func TestPercpuRefSwitchLockCommutes(t *testing.T) {
	for _, flags := range []RefFlags{0, RefInitAtomic} {
		m := sim.NewMachine()
		defer m.Close()
		m.Run(simtest.Order{"a", "b"}, on.Body(func(k *Task) {
			a, b := newPrefFlags(k, flags), newPref(k)
			k.RCUReadLock()
			k.Step(opStep) // neither is released
			k.Go("a", a.Kill)
			k.Go("b", b.Kill)
			k.Explore()
		}))
		shared, conflict := simtest.Overlap(m, "a", "b")
		require.True(t, shared)
		require.Equal(t, flags == RefInitAtomic, conflict)
	}
}

func TestRCUCommutes(t *testing.T) {
	ops := func(k *Task) ([]operation, func() string) {
		var x Shared[int]
		x.Init(k, nil, "x", 5)
		rcu := &k.K.rcu
		var asked []gracePeriod
		return []operation{
				{"section", func(k *Task) any {
					k.RCUReadLock()
					v := x.Load(k)
					k.RCUReadUnlock()
					return v
				}},
				{"begin", func(k *Task) any {
					k.RCUReadLock()
					k.Step(opStep)
					return k.rcu
				}},
				{"call_rcu", func(k *Task) any {
					k.Step(opStep)
					k.CallRCU("callback", func(*Task) {})
					asked = append(asked, gracePeriod{rcu, rcu.seq})
					return nil
				}},
				{"store", func(k *Task) any { x.Store(k, 6); return nil }},
			}, func() string {
				var names []string
				for _, r := range rcu.readers {
					names = append(names, r.Name)
				}
				slices.Sort(names)
				over := 0
				for _, g := range asked {
					if g.Ready(nil) {
						over++
					}
				}
				return fmt.Sprint(names, over, x.v)
			}
	}
	checkCommuting(t, []state{
		{"no readers", ops},
		{"a reader", func(k *Task) ([]operation, func() string) {
			k.RCUReadLock()
			k.Step(opStep)
			return ops(k)
		}},
	})
}

// Which callback of two grace periods comes first is open, whichever was asked for
// first; and a grace period that is over does not depend on the other.
func TestGracePeriodsCommute(t *testing.T) {
	wait := func(k *Task) any { k.SynchronizeRCU(); return nil }
	checkCommuting(t, []state{{"no readers", func(k *Task) ([]operation, func() string) {
		return []operation{{"synchronize_rcu", wait}, {"again", wait}}, func() string { return fmt.Sprint(len(k.K.rcu.readers)) }
	}}})
}

// Failed attempts only read, and reads commute.
func TestReadsCommute(t *testing.T) {
	checkCommuting(t, []state{
		{"mutex", func(k *Task) ([]operation, func() string) {
			a, _ := twoMutexes(k)
			a.Lock(k)
			return []operation{{"trylock", func(k *Task) any { return a.Trylock(k) }}}, func() string { return "" }
		}},
		{"ww_mutex", func(k *Task) ([]operation, func() string) {
			w := wwMutexes(k, 2)
			class := k.WWClass("resv", WaitDie)
			older := class.AcquireInit(k)
			w[0].Lock(k, older)
			return []operation{{"trylock", func(k *Task) any { return w[0].Trylock(k) }}}, func() string { return "" }
		}},
		{"field", func(k *Task) ([]operation, func() string) {
			var x Shared[int]
			x.Init(k, nil, "x", 3)
			return []operation{
				{"load", func(k *Task) any { return x.Load(k) }},
				{"store", func(k *Task) any { x.Store(k, 4); return nil }},
				{"await", func(k *Task) any { x.Await(k, "await", func(v int) bool { return v > 0 }); return nil }},
			}, func() string { return fmt.Sprint(x.v) }
		}},
	})
}

// An operation that changes what another one sees has to say so.
func TestUndeclaredAccesses(t *testing.T) {
	for _, s := range []struct {
		skip string
		state
	}{
		{"AcquireInit draws the stamp without a declared access of the class", state{"ww_acquire_init", func(k *Task) ([]operation, func() string) {
			class := k.WWClass("resv", WaitDie)
			return []operation{{"ww_acquire_init", func(k *Task) any { return class.AcquireInit(k).stamp }}}, func() string { return "" }
		}}},
		{"", state{"percpu_ref_exit", func(k *Task) ([]operation, func() string) {
			r := newPref(k)
			var settled Completion
			settled.Init(k, nil, "settled")
			r.Kill(k)
			k.CallRCU("settled", settled.Complete)
			settled.Wait(k)
			return []operation{
				{"exit", func(k *Task) any { k.Step(opStep); r.Exit(k); return nil }},
				{"tryget", func(k *Task) any { return r.Tryget(k) }},
			}, func() string { return "" }
		}}},
	} {
		t.Run(s.name, func(t *testing.T) {
			if s.skip != "" {
				t.Skip(s.skip)
			}
			wrong, _ := notCommuting(s.state)
			require.Empty(t, wrong)
		})
	}
}

// With room for one item, running one keeps the other from running.
func TestMaxActiveIsDeclared(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	m.Run(simtest.Order{"a", "b"}, on.Body(func(k *Task) {
		wq := NewWorkqueue(k, "wq", 1)
		for _, name := range []string{"a", "b"} {
			wq.Queue(k, newWork(k, func(k *Task) { k.Name = name }))
		}
		k.Explore()
	}))
	_, conflict := simtest.Overlap(m, "a", "b")
	require.True(t, conflict)
}

// Whether work can still be added depends on whether the target has returned.
func TestExitIsDeclared(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	m.Run(simtest.Order{"target", "adder"}, on.Body(func(k *Task) {
		target := k.Go("target", func(k *Task) { k.Step(opStep) })
		k.Go("adder", func(k *Task) { k.TaskWorkAdd(target, &TaskWork{Func: func(*Task) {}}, TWA_RESUME) })
		k.Explore()
	}))
	_, conflict := simtest.Overlap(m, "target", "adder")
	require.True(t, conflict)
}
