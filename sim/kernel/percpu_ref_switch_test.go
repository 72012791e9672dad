package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/internal/simtest"
	"dmasim/sim"
	"dmasim/sim/explore"
)

// findings are the kinds of failure of all interleavings, and "none".
func findings(t *testing.T, body func(k *Task)) map[string]bool {
	t.Helper()
	m := sim.NewMachine()
	m.StepLimit = 500
	defer m.Close()
	out := map[string]bool{}
	s := explore.NewDFS(explore.Coverage{Bound: explore.All})
	for {
		r := m.Run(s, on.Body(body))
		kind := "none"
		if r.Failure != nil {
			kind = string(r.Failure.Kind)
		}
		out[kind] = true
		if !s.Done(r) {
			return out
		}
	}
}

var _ = conform(cases{
	{"C-PREF-03", func(t *testing.T) {
		// release runs inside the kill, and nobody can change the mode of another ref
		// meanwhile.
		out := outcomes(t, func(k *Task, say func(string, ...any)) {
			var r, other PercpuRef
			inside, killed := false, 0
			r.InitFlags(k, nil, "r", RefInitAtomic, GFP_KERNEL, func(k *Task) {
				if !k.IrqsDisabled() || !k.InAtomic() || k.Context() != InTask {
					k.BUG("release with interrupts on")
				}
				before := killed
				k.Step(opStep)
				k.Step(opStep)
				if killed != before {
					k.BUG("a ref was killed while the lock was held")
				}
				inside = true
			})
			other.Init(k, nil, "other", GFP_KERNEL, func(*Task) {})
			k.Go("killer", func(k *Task) {
				r.Kill(k)
				if !inside {
					k.BUG("percpu_ref_kill did not release")
				}
				if k.IrqsDisabled() || k.InAtomic() {
					k.BUG("the lock is held after the kill")
				}
			})
			k.Go("other killer", func(k *Task) {
				other.Kill(k)
				killed++
			})
			k.Explore()
			r.Exit(k)
			other.Exit(k)
			say("%v %d", inside, killed)
		})
		require.Equal(t, set("true 1"), out)
		fails(t, Context, "in a section with interrupts off", func(k *Task) {
			var r PercpuRef
			r.InitFlags(k, nil, "r", RefInitAtomic, GFP_KERNEL, func(k *Task) { k.MightSleep("msleep", "") })
			r.Kill(k)
		})
		// The release of a ref that counts elsewhere is in the context of the last put.
		out = outcomes(t, func(k *Task, say func(string, ...any)) {
			r := newPrefFlags(k, RefInitAtomic)
			r.Get(k)
			k.Go("killer", func(k *Task) { r.Kill(k) })
			k.Interrupt("irq", func(k *Task) { r.Put(k) })
			k.Explore()
			say("%v", r.released)
			r.Exit(k)
		})
		require.Equal(t, set("[task]", "[hardirq]"), out)
	}},
	{"C-PREF-04", func(t *testing.T) {
		exits := func(flags RefFlags, in func(r *PercpuRef, k *Task)) func(k *Task) {
			return func(k *Task) {
				r := &PercpuRef{}
				r.InitFlags(k, nil, "r", flags, GFP_KERNEL, func(k *Task) { in(r, k) })
				r.Get(k)
				k.Go("user", func(k *Task) { r.Put(k) })
				k.Go("killer", func(k *Task) { r.Kill(k) })
				k.Explore()
			}
		}
		always(t, exits(0, (*PercpuRef).Exit))
		for call, in := range map[string]func(r *PercpuRef, k *Task){
			"exit":      (*PercpuRef).Exit,
			"reinit":    (*PercpuRef).Reinit,
			"resurrect": (*PercpuRef).Resurrect,
			"kill":      (*PercpuRef).Kill,
			"is_zero":   func(r *PercpuRef, k *Task) { r.IsZero(k); r.Exit(k) },
		} {
			if call != "kill" { // which is wrong after the put, too
				f := sometimes(t, sim.Deadlock, "takes percpu_ref_switch_lock, which it holds already", exits(RefInitAtomic, in))
				require.Contains(t, f.Detail[1], "locks held: percpu_ref_switch_lock", call)
			} else {
				require.Contains(t, findings(t, exits(RefInitAtomic, in)), string(sim.Deadlock))
			}
		}
		// With a put that is sure to be the last one there is nothing wrong with it.
		always(t, func(k *Task) {
			r := &PercpuRef{}
			r.InitFlags(k, nil, "r", RefInitAtomic, GFP_KERNEL, func(k *Task) { r.Exit(k) })
			r.GetMany(k, 2)
			r.Kill(k)
			k.Go("user", func(k *Task) { r.Put(k) })
			k.Go("user", func(k *Task) { r.Put(k) })
			k.Explore()
		})
	}},
	{"C-PREF-08", func(t *testing.T) {
		confirmed := func(flags RefFlags) map[string]bool {
			return outcomes(t, func(k *Task, say func(string, ...any)) {
				var r PercpuRef
				order, returned := "", simtest.NewVar(k, false)
				r.InitFlags(k, nil, "r", flags, GFP_KERNEL, func(k *Task) { order += " release" })
				r.Get(k)
				k.Go("killer", func(k *Task) {
					r.KillAndConfirm(k, func(k *Task) {
						order += "confirm"
						if returned.Get(k) {
							order += " late"
						}
						if r.IsDying(k); r.dead == false {
							k.BUG("confirmed before it was killed")
						}
						if r.TrygetLive(k) {
							k.BUG("live after the kill")
						}
					})
					k.Step(opStep)
					returned.Set(k, true)
				})
				k.Go("user", func(k *Task) { r.Put(k) })
				k.Explore()
				say(order)
				r.Exit(k)
			})
		}
		require.Equal(t, set("confirm late release", "confirm release"), confirmed(0)) // the callback may be fast
		require.Equal(t, set("confirm release"), confirmed(RefInitAtomic))
	}},
	{"C-PREF-12", func(t *testing.T) {
		for _, flags := range []RefFlags{RefAllowReinit, RefInitAtomic, RefInitDead} {
			passes(t, func(k *Task) {
				r := newPrefFlags(k, flags)
				if flags != RefInitDead {
					require.True(t, r.TrygetLive(k))
					r.Put(k)
					r.Kill(k)
					r.settle(k)
				}
				require.False(t, r.TrygetLive(k))
				require.True(t, r.IsZero(k))
				r.Reinit(k)
				require.True(t, r.TrygetLive(k))
				require.Equal(t, 2, r.Count())
				require.Equal(t, flags == RefInitAtomic, r.atomic, "sticky")
				require.False(t, r.IsZero(k))
				n := len(r.released)
				r.Put(k)
				require.Len(t, r.released, n)
				r.end(k)
				require.Len(t, r.released, n+1)
			})
		}
		fails(t, RefcountMisuse, "percpu_ref_reinit of r, which is not zero", func(k *Task) {
			r := newPrefFlags(k, RefAllowReinit)
			r.Get(k)
			r.Kill(k)
			k.Explore()
			r.Reinit(k)
			r.Put(k)
			r.end(k)
		})
		// Those who try meanwhile get a reference or none, and the count is right.
		out := outcomes(t, func(k *Task, say func(string, ...any)) {
			r := newPrefFlags(k, RefAllowReinit)
			r.Kill(k)
			r.settle(k)
			got := false
			k.Go("reviver", func(k *Task) { r.Reinit(k) })
			k.Go("reader", func(k *Task) {
				if got = r.TrygetLive(k); got {
					r.Put(k)
				}
			})
			k.Explore()
			say("%v %d %v", got, r.Count(), r.released)
			r.end(k)
		})
		require.Equal(t, set("true 1 [RCU callback]", "false 1 [RCU callback]"), out)
	}},
	{"C-PREF-13", func(t *testing.T) {
		// When the switch is over the counters are freed, and there is nothing to go back
		// to: worse than the warning.
		fails(t, sim.Bug, "percpu_ref_reinit of r, whose per-CPU counters are gone", func(k *Task) {
			r := newPref(k)
			r.Kill(k)
			k.Explore()
			r.Reinit(k)
		})
		// One who waits for the end of the switch can come between that and the freeing:
		// this is what the warning is for. Or it comes later, and finds the ref dead again.
		revive := func(flags RefFlags) func(k *Task) {
			return func(k *Task) {
				r := newPrefFlags(k, flags)
				r.Get(k)
				r.Kill(k)
				k.Go("reviver", func(k *Task) { r.Resurrect(k) })
				k.Explore()
				r.Put(k)
				if r.Count() != 1 {
					k.BUG("%d references", r.Count())
				}
				if flags == 0 {
					r.data = nil // it cannot be killed again
					return
				}
				r.end(k)
			}
		}
		require.Equal(t, set("none", "bug", "refcount"), findings(t, revive(0)))
		require.Equal(t, set("none"), findings(t, revive(RefAllowReinit)))
		// Even without a kill: what has once been switched looks dead.
		passes(t, func(k *Task) {
			r := newPref(k)
			r.SwitchToAtomicSync(k)
			require.True(t, r.TrygetLive(k) == false && r.IsDying(k))
			r.Put(k)
			r.Exit(k)
		})
	}},
	{"C-PREF-15", func(t *testing.T) {
		switching := func(k *Task, kill func(r *pref, k *Task)) *pref {
			r := newPrefFlags(k, RefAllowReinit)
			k.Go("switcher", func(k *Task) { r.SwitchToAtomic(k, nil) })
			k.Go("killer", func(k *Task) { kill(r, k) })
			k.Explore()
			return r
		}
		atomic := func(r *pref, k *Task) {
			k.PreemptDisable()
			r.Kill(k)
			k.PreemptEnable()
		}
		always(t, func(k *Task) {
			r := switching(k, func(r *pref, k *Task) {
				r.Kill(k)
				if r.data.switching && r.data.forceAtomic && !r.atomic {
					k.BUG("the switch is not over")
				}
			})
			require.Equal(t, 1, len(r.released))
			r.Exit(k)
		})
		sometimes(t, Context, "sleeping function called from invalid context: percpu_ref_kill(r) in an atomic section", func(k *Task) { switching(k, atomic) })
		sometimes(t, Context, "percpu_ref_kill(r) in hardirq context", func(k *Task) {
			r := newPref(k)
			k.Go("switcher", func(k *Task) { r.SwitchToAtomic(k, nil) })
			k.Interrupt("irq", func(k *Task) { r.Kill(k) })
			k.Explore()
		})
		always(t, func(k *Task) { // no switch before, or one that is over: from any context
			r := newPrefFlags(k, RefAllowReinit)
			r.SwitchToAtomic(k, nil)
			r.settle(k)
			s := newPref(k)
			k.Go("killer", func(k *Task) { atomic(r, k); atomic(s, k) })
			k.Go("other", func(k *Task) { k.Step(opStep) })
			k.Explore()
			r.Exit(k)
			s.Exit(k)
		})
	}},
	{"C-PREF-16", func(t *testing.T) {
		out := outcomes(t, func(k *Task, say func(string, ...any)) {
			r := newPrefFlags(k, RefAllowReinit)
			r.GetMany(k, 2)
			k.Go("owner", func(k *Task) {
				r.Kill(k)
				r.Resurrect(k)
				if !r.TrygetLive(k) {
					k.BUG("dead after it was resurrected")
				}
				r.Put(k)
			})
			k.Go("user", func(k *Task) { r.Put(k) })
			k.Explore()
			say("%d %v %v", r.Count(), r.released, r.percpu())
			r.Put(k)
			r.end(k)
			require.Len(t, r.released, 1)
		})
		require.Equal(t, set("2 [] true"), out)
		fails(t, RefcountMisuse, "percpu_ref_resurrect of r, which is not dying", func(k *Task) {
			r := newPrefFlags(k, RefAllowReinit)
			r.Resurrect(k)
			r.Put(k) // there is one too many
			r.end(k)
		})
	}},
})

// Who has waited for the end of a switch takes the lock, for which it waits too.
func TestPercpuRefLockAfterSwitch(t *testing.T) {
	always(t, func(k *Task) {
		a, b := newPrefFlags(k, RefAllowReinit), &PercpuRef{}
		b.InitFlags(k, nil, "b", RefInitAtomic, GFP_KERNEL, func(*Task) {})
		inside := simtest.NewVar(k, false)
		k.Go("reviver", func(k *Task) {
			a.Kill(k)
			a.Resurrect(k)
			if inside.Get(k) {
				k.BUG("two have the lock")
			}
		})
		k.Go("confirmer", func(k *Task) {
			b.KillAndConfirm(k, func(k *Task) {
				inside.Set(k, true)
				k.Step(opStep)
				inside.Set(k, false)
			})
		})
		k.Explore()
		b.Exit(k)
		a.end(k)
	})
}
