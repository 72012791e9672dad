package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

// SwitchToAtomicSync returns when all count on the one counter, so that the last put can
// come without another grace period.
func TestPercpuRefSwitchSync(t *testing.T) {
	out := outcomes(t, func(k *Task, say func(string, ...any)) {
		r := newPrefFlags(k, RefAllowReinit)
		k.Go("switcher", func(k *Task) {
			r.SwitchToAtomicSync(k)
			if r.data.switching || len(r.released) > 0 {
				k.BUG("returned too soon")
			}
			r.Kill(k)
		})
		k.Go("user", func(k *Task) {
			if r.TrygetLive(k) {
				k.Step(opStep)
				r.Put(k)
			}
		})
		k.Explore()
		say("%v %v", r.released, r.atomic)
		r.Exit(k)
	})
	// The wait ends before the callback has dropped the reference of its own.
	require.Equal(t, set("[task] true", "[RCU callback] true"), out)
	fails(t, Context, "percpu_ref_switch_to_atomic_sync(r) in an RCU read section", func(k *Task) {
		r := newPref(k)
		k.RCUReadLock()
		r.SwitchToAtomicSync(k)
	})
}

// Modes that are asked for while the ref is dying are gone to when it lives again.
func TestPercpuRefModesOfDying(t *testing.T) {
	passes(t, func(k *Task) {
		r := newPrefFlags(k, RefInitAtomic)
		r.Kill(k)
		r.SwitchToPercpu(k)
		require.True(t, r.atomic)
		r.Reinit(k)
		require.True(t, r.percpu())
		r.Kill(k)
		r.SwitchToAtomic(k, nil)
		r.Reinit(k)
		require.True(t, r.atomic)
		require.True(t, r.TrygetLive(k))
		r.Put(k)
		require.Len(t, r.released, 2)
		confirmed := false
		r.SwitchToAtomic(k, func(*Task) { confirmed = true })
		require.True(t, confirmed, "at once")
		r.end(k)
	})
}

// Two refs that are killed one inside the other's release: only for the kill of an atomic
// one is that a recursion.
func TestPercpuRefKillInsideRelease(t *testing.T) {
	chain := func(flags RefFlags) func(k *Task) {
		return func(k *Task) {
			var outer, inner PercpuRef
			inner.Init(k, nil, "inner", GFP_KERNEL, func(k *Task) { inner.Exit(k) })
			outer.InitFlags(k, nil, "outer", flags, GFP_KERNEL, func(k *Task) { inner.Kill(k) })
			k.Go("killer", func(k *Task) { outer.Kill(k) })
			k.Go("other", func(k *Task) { k.Step(opStep) })
			k.Explore()
			outer.Exit(k)
		}
	}
	always(t, chain(0))
	fails(t, sim.Deadlock, "in percpu_ref_kill(inner) takes percpu_ref_switch_lock", chain(RefInitAtomic))
}

// The lock is one of the kernel's: a lock that is taken in a release inside a kill must not
// be held around a kill.
func TestPercpuRefSwitchLockOrder(t *testing.T) {
	kills := func(flags RefFlags) func(k *Task) {
		return func(k *Task) {
			var mine Spinlock
			mine.Init(k, nil, "mine")
			release := func(k *Task) {
				flags := mine.LockIrqsave(k)
				mine.UnlockIrqrestore(k, flags)
			}
			var r, other PercpuRef
			r.InitFlags(k, nil, "r", flags, GFP_KERNEL, release)
			other.Init(k, nil, "other", GFP_KERNEL, func(*Task) {})
			k.Go("one", func(k *Task) { r.Kill(k) })
			k.Go("two", func(k *Task) {
				flags := mine.LockIrqsave(k)
				other.Kill(k)
				mine.UnlockIrqrestore(k, flags)
			})
			k.Explore()
			r.Exit(k)
			other.Exit(k)
		}
	}
	always(t, kills(0))
	got := findings(t, kills(RefInitAtomic))
	require.Equal(t, set(string(sim.Deadlock), string(LockOrder)), got)
}
