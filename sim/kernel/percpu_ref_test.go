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

func newPref(k *Task) *pref {
	r := &pref{}
	r.Init(k, nil, "r", GFP_KERNEL, func(k *Task) { r.released = append(r.released, k.Context()) })
	return r
}

// end kills the reference if nobody has, and exits it when it has switched.
func (r *pref) end(k *Task) {
	if r.mode == refPercpu {
		r.Kill(k)
	}
	k.Await("switched", nil, sim.Read, func() bool { return r.mode == refAtomic })
	r.Exit(k)
}

var percpuCases = cases{
	{"C-PREF-01", func(t *testing.T) {
		out := outcomes(t, func(k *Task, say func(string, ...any)) {
			r := newPref(k)
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
			k.Go("other", func(k *Task) { k.Step(opStep) })
			k.Explore()
			say("%v", r.released)
			r.Exit(k)
		})
		require.Equal(t, set("[softirq]"), out)
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
			for range 3 {
				require.Empty(t, r.released)
				r.Put(k)
			}
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
			got := false
			k.Go("killer", func(k *Task) { r.Kill(k) })
			k.Go("reader", func(k *Task) {
				k.RCUReadLock()
				got = r.TrygetLive(k)
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
		require.Equal(t, set("true [softirq]", "true [task]", "false [softirq]"), out)
	}},
	{"C-PREF-09", func(t *testing.T) {
		fails(t, RefcountMisuse, "percpu_ref_kill called more than once on r", func(k *Task) {
			r := newPref(k)
			r.Kill(k)
			r.Kill(k)
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
		require.Equal(t, set("[softirq]"), out)
	}},
	{"C-PREF-11", func(t *testing.T) {
		fails(t, RefcountMisuse, "after switching to atomic mode", func(k *Task) {
			r := newPref(k)
			r.Put(k)
			r.Put(k) // not found here
			r.Get(k)
			r.Kill(k)
			k.Explore()
		})
		fails(t, RefcountMisuse, "percpu_ref_put of r below zero", func(k *Task) {
			r := newPref(k)
			r.Kill(k)
			k.Explore()
			r.Put(k)
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
		fails(t, UseAfterFree, "percpu_ref_tryget_live of r, which has exited", func(k *Task) { dead(k).TrygetLive(k) })
		fails(t, UseAfterFree, "percpu_ref_kill of r, which has exited", func(k *Task) { dead(k).Kill(k) })
		fails(t, RefcountMisuse, "percpu_ref_exit of r, which is live or has 1 reference(s)", func(k *Task) { newPref(k).Exit(k) })
		fails(t, RefcountMisuse, "percpu_ref_exit of r", func(k *Task) {
			r := newPref(k)
			r.Kill(k)
			r.Exit(k) // the switch is not over
		})
		fails(t, RefcountMisuse, "percpu_ref_exit of r, which is live or has 1 reference(s)", func(k *Task) {
			r := newPref(k)
			r.Get(k)
			r.Kill(k)
			k.Explore()
			r.Exit(k)
		})
		fails(t, RefcountMisuse, "percpu_ref_get of r, whose count is zero", func(k *Task) {
			r := newPref(k)
			r.Kill(k)
			k.Explore()
			r.Get(k)
		})
	}},
}

// The last put may be anybody's: release runs in its context, never twice.
func TestPercpuRefLastPut(t *testing.T) {
	out := outcomes(t, func(k *Task, say func(string, ...any)) {
		r := newPref(k)
		r.Get(k)
		k.Go("killer", func(k *Task) { r.Kill(k) })
		k.Interrupt("irq", func(k *Task) { r.Put(k) })
		k.Explore()
		say("%v", r.released)
		r.end(k)
	})
	require.Equal(t, set("[softirq]", "[hardirq]"), out)
}

// release runs in a read section, so it may not sleep, wherever the put was.
func TestPercpuRefReleaseMayNotSleep(t *testing.T) {
	fails(t, Context, "sleeping function called from invalid context", func(k *Task) {
		var r PercpuRef
		r.Init(k, nil, "r", GFP_KERNEL, func(k *Task) { k.MayFail(GFP_KERNEL, "x") })
		r.Get(k)
		r.Kill(k)
		k.Explore()
		r.Put(k)
	})
}

func TestPercpuRefInitFails(t *testing.T) {
	passes(t, func(k *Task) {
		k.K.FailAlloc("percpu_ref", 1)
		var r PercpuRef
		require.Equal(t, ENOMEM, r.Init(k, nil, "r", GFP_KERNEL, nil))
	})
}

// An object that goes with a reference that was not exited leaks the per-CPU counters.
func TestPercpuRefInFreedObject(t *testing.T) {
	f := on.Run(func(k *Task) {
		o := newObject(k, 0)
		var r PercpuRef
		r.Init(k, &o.Mem, "object.refs", GFP_KERNEL, func(*Task) {})
		k.Free(&o.Mem)
	})
	require.NotNil(t, f)
	require.Equal(t, Leak, f.Kind)
	require.Contains(t, f.Message, "percpu_ref_exit was never called for object.refs")
}
