package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

var _ = conform(cases{
	{"C-MEM-08", func(t *testing.T) {
		// The fence is published and not signalled yet. Whether the allocation waits for it
		// is open; if it does, it is for the signal.
		waits := func(gfp GFP, scope bool) map[string]bool {
			return outcomes(t, func(k *Task, say func(string, ...any)) {
				var fence Completion
				var signalled Shared[bool]
				fence.Init(k, nil, "fence")
				signalled.Init(k, nil, "signalled", false)
				waited := false
				k.K.Pressure(1, 0, "task")
				k.K.RegisterShrinker("gpu", func(k *Task) {
					fence.Wait(k)
					waited = true
				})
				k.Go("task", func(k *Task) {
					if scope {
						k.MemallocNoioSave()
					}
					require.Equal(t, OK, k.MayFail(gfp, "object"))
					say("%v %v", waited, signalled.Load(k))
				})
				k.Go("signaller", func(k *Task) {
					signalled.Store(k, true)
					fence.CompleteAll(k)
				})
				k.Explore()
			})
		}
		require.Equal(t, set("false false", "false true", "true true"), waits(GFP_KERNEL, false))
		require.Equal(t, set("false false", "false true", "true true"), waits(GFP_KERNEL|GFP_NOFAIL, false))
		for _, gfp := range []GFP{GFP_NOFS, GFP_NOIO, GFP_NOWAIT, GFP_ATOMIC} {
			require.Equal(t, set("false false", "false true"), waits(gfp, false), "%v", gfp)
		}
		require.Equal(t, set("false false", "false true"), waits(GFP_KERNEL, true))
		// The signaller needs a lock that the allocation is made under: a deadlock, which
		// only reclaim brings about.
		under := func(gfp GFP) func(k *Task) {
			return func(k *Task) {
				var fence Completion
				var mu Mutex
				fence.Init(k, nil, "fence")
				mu.Init(k, nil, "m")
				k.K.Pressure(1, 0)
				k.K.RegisterShrinker("gpu", fence.Wait)
				k.Go("task", func(k *Task) {
					mu.Lock(k)
					k.MayFail(gfp, "object")
					mu.Unlock(k)
				})
				k.Go("signaller", func(k *Task) {
					mu.Lock(k)
					fence.CompleteAll(k)
					mu.Unlock(k)
				})
				k.Explore()
			}
		}
		sometimes(t, sim.Deadlock, "", under(GFP_KERNEL))
		always(t, under(GFP_NOFS))
	}},
})

// Reclaim calls those that the mask lets it, in order, once per budget and task, and does
// not enter itself.
func TestPressure(t *testing.T) {
	calls := func(gfp GFP, reclaims int) map[string]bool {
		return outcomes(t, func(k *Task, say func(string, ...any)) {
			k.K.Pressure(reclaims, 0)
			k.K.RegisterNotifier("mm", func(k *Task) {
				say("n")
				k.MayFail(gfp, "inner")
			})
			for _, name := range []string{"s1", "s2"} {
				k.K.RegisterShrinker(name, func(k *Task) {
					say(name)
					k.MayFail(gfp, "inner")
				})
			}
			k.MayFail(gfp, "set-up")
			k.Go("task", func(k *Task) {
				k.MayFail(gfp, "x")
				k.MayFail(gfp, "x")
				k.MayFail(gfp, "x")
			})
			k.Explore()
		})
	}
	require.Equal(t, set("", "n s1 s2"), calls(GFP_KERNEL, 1))
	require.Equal(t, set("", "n s1 s2", "n s1 s2 n s1 s2"), calls(GFP_KERNEL, 2))
	require.Equal(t, set("", "n"), calls(GFP_NOFS, 1))
	require.Equal(t, set("", "n"), calls(GFP_NOIO, 1))
	require.Equal(t, set(""), calls(GFP_ATOMIC, 1))
}

// Under pressure allocations of every mask may fail, but for those that must not.
func TestPressureFails(t *testing.T) {
	results := func(gfp GFP) map[string]bool {
		return outcomes(t, func(k *Task, say func(string, ...any)) {
			k.K.Pressure(0, 1)
			for _, name := range []string{"a", "b"} {
				k.Go(name, func(k *Task) {
					n := 0
					for range 2 {
						if k.MayFail(gfp, "x") == OK {
							n++
						}
					}
					if name == "a" {
						say("%d", n)
					}
				})
			}
			k.Explore()
		})
	}
	for _, gfp := range []GFP{GFP_KERNEL, GFP_NOIO, GFP_NOWAIT, GFP_ATOMIC, GFP_NOFS | GFP_RETRY_MAYFAIL} {
		require.Equal(t, set("1", "2"), results(gfp), "%v", gfp)
	}
	require.Equal(t, set("2"), results(GFP_KERNEL|GFP_NOFAIL))
}

// Notifiers are called with their map held: what they wait for must not wait for an
// allocation.
func TestNotifierOrder(t *testing.T) {
	everywhere(t, LockOrder, "mmu_notifier_invalidate_range_start", func(k *Task) {
		var mu Mutex
		mu.Init(k, nil, "m")
		k.K.RegisterNotifier("mm", func(k *Task) {
			mu.Lock(k)
			mu.Unlock(k)
		})
		k.WakeKswapd()
		k.Go("task", func(k *Task) {
			mu.Lock(k)
			k.MayFail(GFP_NOIO, "object")
			mu.Unlock(k)
		})
		k.Explore()
	})
}
