package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

// opStep is a step that touches nothing.
var opStep = sim.Op{Verb: "step"}

// pref is a percpu_ref that notes where it was released.
type pref struct {
	PercpuRef
	released []Ctx
}

func newPref(k *Task) *pref { return newPrefFlags(k, 0) }

func newPrefFlags(k *Task, flags RefFlags) *pref {
	r := &pref{}
	r.InitFlags(k, nil, "r", flags, GFP_KERNEL, func(k *Task) { r.released = append(r.released, k.Context()) })
	return r
}

// settle waits until no switch goes on.
func (r *pref) settle(k *Task) {
	if r.data.switching {
		k.Await("switched", &r.obj, sim.Read, func() bool { return !r.data.switching })
	}
}

// end kills the reference if nobody has, and exits it when it has switched.
func (r *pref) end(k *Task) {
	if !r.dead {
		r.Kill(k)
	}
	r.settle(k)
	r.Exit(k)
}

var _ = conform(cases{
	{"C-PREF-01", func(t *testing.T) {
		for _, flags := range []RefFlags{0, RefInitAtomic} {
			out := outcomes(t, func(k *Task, say func(string, ...any)) {
				r := newPrefFlags(k, flags)
				for range 2 {
					k.Go("user", func(k *Task) {
						if r.TrygetLive(k) {
							r.Put(k)
						}
					})
				}
				k.Explore()
				say("%v %d", r.released, r.Count())
				r.end(k)
			})
			require.Equal(t, set("[] 1"), out)
		}
	}},
	{"C-PREF-02", func(t *testing.T) {
		out := outcomes(t, func(k *Task, say func(string, ...any)) {
			r := newPref(k)
			k.Go("killer", func(k *Task) {
				r.Kill(k)
				if r.released != nil {
					k.BUG("released inside percpu_ref_kill")
				}
			})
			k.Go("reader", func(k *Task) {
				k.RCUReadLock()
				dying := r.IsDying(k)
				k.Step(opStep)
				if !dying && r.released != nil {
					k.BUG("released before the grace period was over")
				}
				k.RCUReadUnlock()
			})
			k.Explore()
			say("%v", r.released)
			r.Exit(k)
		})
		require.Equal(t, set("[RCU callback]"), out)
	}},
	{"C-PREF-05", func(t *testing.T) {
		out := outcomes(t, func(k *Task, say func(string, ...any)) {
			r := newPref(k)
			for range 2 {
				r.GetMany(k, 3) // on CPU 0
			}
			for cpu := 1; cpu <= 2; cpu++ {
				k.Go("putter", func(k *Task) {
					k.MoveTo(cpu)
					for range 3 {
						r.Put(k)
					}
				})
			}
			k.Explore()
			say("%v %d", r.counters.parts, r.Count())
			r.end(k)
			require.Equal(t, []Ctx{InRCUCallback}, r.released)
		})
		require.Equal(t, set("[6 -3 -3] 1"), out)
		// The switch may come between any two of them.
		out = outcomes(t, func(k *Task, say func(string, ...any)) {
			r := newPref(k)
			r.GetMany(k, 2)
			k.Go("putter", func(k *Task) {
				k.MoveTo(1)
				for range 2 {
					r.Put(k)
				}
			})
			k.Go("killer", func(k *Task) { r.Kill(k) })
			k.Explore()
			say("%v", r.released)
			r.Exit(k)
		})
		require.Equal(t, set("[RCU callback]", "[task]"), out)
	}},
	{"C-PREF-06", func(t *testing.T) {
		passes(t, func(k *Task) {
			r := newPref(k)
			r.Get(k)
			r.Kill(k)
			require.False(t, r.TrygetLive(k))
			require.True(t, r.Tryget(k), "in the grace period")
			k.Explore() // the grace period ends
			require.False(t, r.TrygetLive(k))
			require.True(t, r.Tryget(k), "while references remain")
			require.True(t, r.TrygetMany(k, 2))
			r.PutMany(k, 4)
			require.Empty(t, r.released)
			r.Put(k)
			require.Equal(t, []Ctx{InTask}, r.released)
			require.False(t, r.Tryget(k))
			r.end(k)
		})
	}},
	{"C-PREF-07", func(t *testing.T) {
		// Between the beginning of kill and the end of its grace period a reader may
		// or may not get a reference; if it does, release comes after its put.
		out := outcomes(t, func(k *Task, say func(string, ...any)) {
			r := newPref(k)
			got, confirm := false, false
			k.Go("killer", func(k *Task) { r.KillAndConfirm(k, func(*Task) { confirm = true }) })
			k.Go("reader", func(k *Task) {
				k.RCUReadLock()
				k.Step(sim.Op{Verb: "look", Obj: &r.obj, Class: sim.Read})
				late := confirm
				got = r.TrygetLive(k)
				if got && late {
					k.BUG("got a reference after the kill was confirmed")
				}
				k.RCUReadUnlock()
				if got {
					if r.released != nil {
						k.BUG("released with a reference")
					}
					r.Put(k)
				}
			})
			k.Explore()
			say("%v %v", got, r.released)
			r.end(k)
		})
		require.Equal(t, set("true [RCU callback]", "true [task]", "false [RCU callback]"), out)
	}},
	{"C-PREF-09", func(t *testing.T) {
		fails(t, RefcountMisuse, "percpu_ref_kill called more than once on r", func(k *Task) {
			r := newPref(k)
			r.GetMany(k, 2) // so that the count survives it
			r.Kill(k)
			k.Explore()
			r.Kill(k)
			require.Equal(t, 1, r.Count(), "it has dropped one more")
			r.Put(k)
			r.Exit(k)
		})
		sometimes(t, RefcountMisuse, "percpu_ref_kill called more than once on r", func(k *Task) {
			r := newPref(k)
			r.Get(k)
			for range 2 {
				k.Go("killer", func(k *Task) { r.Kill(k) })
			}
			k.Explore()
			r.Exit(k)
		})
	}},
	{"C-PREF-10", func(t *testing.T) {
		// A put in the grace period, which a reader holds up, does not release.
		out := outcomes(t, func(k *Task, say func(string, ...any)) {
			r := newPref(k)
			r.Get(k)
			k.Go("reader", func(k *Task) {
				k.RCUReadLock()
				k.Step(opStep)
				r.Kill(k)
				r.Put(k)
				k.Step(opStep)
				if r.released != nil {
					k.BUG("released before the grace period was over")
				}
				k.RCUReadUnlock()
			})
			k.Go("other", func(k *Task) { k.Step(opStep) })
			k.Explore()
			say("%v", r.released)
			r.end(k)
		})
		require.Equal(t, set("[RCU callback]"), out)
	}},
	{"C-PREF-11", func(t *testing.T) {
		// One put too many, and right after it the count is right again: not found.
		passes(t, func(k *Task) {
			r := newPref(k)
			r.Put(k)
			r.Put(k)
			r.GetMany(k, 2)
			r.end(k)
			require.Len(t, r.released, 1)
		})
		var released []Ctx
		fails(t, RefcountMisuse, "percpu ref r <= 0 (0) after switching to atomic mode", func(k *Task) {
			r := newPref(k)
			r.Put(k)
			r.Kill(k)
			k.Explore()
			released = r.released
			r.Exit(k)
		})
		require.Empty(t, released, "the count has passed zero unseen")
		// In atomic mode the kernel finds nothing at all.
		fails(t, RefcountMisuse, "percpu_ref_put of r below zero", func(k *Task) {
			r := newPref(k)
			r.Kill(k)
			k.Explore()
			r.Put(k)
			r.Exit(k)
		})
	}},
	{"C-PREF-14", func(t *testing.T) {
		dead := func(k *Task) *pref {
			r := newPref(k)
			r.Kill(k)
			k.Explore()
			r.Exit(k)
			return r
		}
		fails(t, UseAfterFree, "percpu_ref_get of r, which has exited", func(k *Task) { dead(k).Get(k) })
		fails(t, UseAfterFree, "percpu_ref_put of r, which has exited", func(k *Task) { dead(k).Put(k) })
		fails(t, UseAfterFree, "percpu_ref_tryget of r, which has exited", func(k *Task) { dead(k).Tryget(k) })
		fails(t, UseAfterFree, "percpu_ref_kill of r, which has exited", func(k *Task) { dead(k).Kill(k) })
		fails(t, UseAfterFree, "percpu_ref_resurrect of r, which has exited", func(k *Task) { dead(k).Resurrect(k) })
		passes(t, func(k *Task) { // looks only at what exit leaves
			r := dead(k)
			require.False(t, r.TrygetLive(k))
			require.True(t, r.IsDying(k))
			require.True(t, r.IsZero(k))
			r.Exit(k)
		})

		switching := func(k *Task) {
			r := newPref(k)
			r.Kill(k)
			r.Exit(k)
			k.Explore()
		}
		fails(t, UseAfterFree, "the switch to atomic mode of r, which has exited", switching)
		require.Contains(t, stressed(switching)[0], "percpu_ref_exit of r, which is switching to atomic mode")

		fails(t, RefcountMisuse, "percpu_ref_exit of r, which has 2 reference(s)", func(k *Task) {
			r := newPref(k)
			r.Get(k)
			r.Exit(k)
		})
		fails(t, RefcountMisuse, "percpu_ref_exit of r, which has 1 reference(s)", func(k *Task) {
			r := newPref(k)
			r.Get(k)
			r.Kill(k)
			k.Explore()
			r.Exit(k)
		})
		passes(t, func(k *Task) { newPref(k).Exit(k) }) // what was never used
		fails(t, RefcountMisuse, "percpu_ref_get of r, whose count is zero", func(k *Task) {
			r := newPref(k)
			r.Kill(k)
			k.Explore()
			r.Get(k)
			r.Put(k)
			r.Exit(k)
		})
	}},
})

// stressed are the remarks of a run by the default rule that nobody must miss, such as
// warnings.
func stressed(body func(k *Task)) (said []string) {
	m := sim.NewMachine()
	defer m.Close()
	m.Trace(true)
	m.Run(sim.Default{}, on.Body(body))
	for _, row := range m.Rows() {
		if row.Key {
			said = append(said, row.Text)
		}
	}
	return said
}
