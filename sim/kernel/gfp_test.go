package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

// shrinkable is a lock that a shrinker takes, in kswapd: so nobody may wait for reclaim
// with it held.
func shrinkable(k *Task) *Mutex {
	mu := &Mutex{}
	mu.Init(k, nil, "cache")
	k.K.RegisterShrinker("cache", func(k *Task) {
		mu.Lock(k)
		mu.Unlock(k)
	})
	return mu
}

var _ = conform(cases{
	{"C-MEM-01", func(t *testing.T) {
		places := map[string]func(k *Task, f func(*Task)){
			"in hardirq context (irq)": func(k *Task, f func(*Task)) { k.Interrupt("irq", f) },
			"in softirq context":       func(k *Task, f func(*Task)) { k.Softirq("softirq", f) },
			"in RCU callback context":  func(k *Task, f func(*Task)) { k.CallRCU("callback", f) },
			"in an RCU read section": func(k *Task, f func(*Task)) {
				k.RCUReadLock()
				f(k)
				k.RCUReadUnlock()
			},
			"in an atomic section": func(k *Task, f func(*Task)) {
				k.PreemptDisable()
				f(k)
				k.PreemptEnable()
			},
			"under spinlock l": func(k *Task, f func(*Task)) {
				l := &Spinlock{}
				l.Init(k, nil, "l")
				l.Lock(k)
				f(k)
				l.Unlock(k)
			},
			"interrupts off": func(k *Task, f func(*Task)) {
				k.LocalIrqDisable()
				f(k)
				k.LocalIrqEnable()
			},
		}
		for where, place := range places {
			for _, gfp := range []GFP{GFP_KERNEL, GFP_NOIO, GFP_NOFS, GFP_KERNEL | GFP_NORETRY} {
				fails(t, Context, where, func(k *Task) {
					place(k, func(k *Task) { k.Alloc(gfp, &Mem{}, "object") })
					k.Explore()
				})
				fails(t, Context, "allocation(object)", func(k *Task) {
					place(k, func(k *Task) { k.MightAlloc(gfp, "object") })
					k.Explore()
				})
			}
			for _, gfp := range []GFP{GFP_ATOMIC, GFP_NOWAIT} {
				passes(t, func(k *Task) {
					place(k, func(k *Task) {
						var m Mem
						k.MightAlloc(gfp, "object")
						require.Equal(t, OK, k.Alloc(gfp, &m, "object"))
						k.Free(&m)
					})
					k.Explore()
				})
			}
		}
	}},
	{"C-MEM-02", func(t *testing.T) {
		under := func(gfp GFP) func(k *Task) {
			return func(k *Task) {
				mu := shrinkable(k)
				k.Go("task", func(k *Task) {
					mu.Lock(k)
					k.MayFail(gfp, "object")
					mu.Unlock(k)
				})
				k.WakeKswapd()
				k.Explore()
			}
		}
		everywhere(t, LockOrder, "fs_reclaim", under(GFP_KERNEL))
		everywhere(t, LockOrder, "fs_reclaim", under(GFP_KERNEL|GFP_NOFAIL))
		for _, gfp := range []GFP{GFP_NOFS, GFP_NOIO, GFP_NOWAIT} {
			always(t, under(gfp))
		}
		// With another lock than the shrinker's, GFP_KERNEL is right.
		always(t, func(k *Task) {
			shrinkable(k)
			other := &Mutex{}
			other.Init(k, nil, "other")
			k.Go("task", func(k *Task) {
				other.Lock(k)
				k.MayFail(GFP_KERNEL, "object")
				other.Unlock(k)
			})
			k.WakeKswapd()
			k.Explore()
		})
		// It is no false alarm: where reclaim is entered the task waits for itself.
		sometimes(t, sim.Deadlock, "locks cache, which it holds already", func(k *Task) {
			k.K.Lockdep.Off = true
			k.K.Pressure(1, 0)
			mu := shrinkable(k)
			k.Go("task", func(k *Task) {
				mu.Lock(k)
				k.MayFail(GFP_KERNEL, "object")
				mu.Unlock(k)
			})
			k.Explore()
		})
	}},
	{"C-MEM-03", func(t *testing.T) {
		// A fence is waited for in notifiers, and so must not wait for reclaim.
		signalling := func(gfp GFP) func(k *Task) {
			return func(k *Task) {
				fence := k.LockMap("dma_fence")
				k.Documented(k.FsReclaim(), k.MmuNotifier(), fence)
				fence.Acquire(k, true)
				k.MayFail(gfp, "object")
				fence.Release(k)
			}
		}
		for _, gfp := range []GFP{GFP_KERNEL, GFP_NOFS, GFP_NOIO} {
			fails(t, LockOrder, "mmu_notifier_invalidate_range_start -> dma_fence", signalling(gfp))
		}
		for _, gfp := range []GFP{GFP_ATOMIC, GFP_NOWAIT} {
			passes(t, signalling(gfp))
		}
		passes(t, func(k *Task) { // what frees memory does not enter reclaim
			s := k.MemallocNoreclaimSave()
			signalling(GFP_NOIO)(k)
			k.MemallocNoreclaimRestore(s)
		})
	}},
	{"C-MEM-04", func(t *testing.T) {
		callee := func(k *Task, mu *Mutex) {
			mu.Lock(k)
			k.MayFail(GFP_KERNEL, "object")
			mu.Unlock(k)
		}
		scoped := func(body func(k *Task, mu *Mutex)) func(k *Task) {
			return func(k *Task) {
				mu := shrinkable(k)
				k.WakeKswapd()
				k.Go("task", func(k *Task) { body(k, mu) })
				k.Explore()
			}
		}
		always(t, scoped(func(k *Task, mu *Mutex) {
			s := k.MemallocNoioSave()
			callee(k, mu)
			k.MemallocNoioRestore(s)
		}))
		always(t, scoped(func(k *Task, mu *Mutex) {
			s := k.MemallocNofsSave()
			callee(k, mu)
			k.MemallocNofsRestore(s)
		}))
		always(t, scoped(func(k *Task, mu *Mutex) { // the inner restore keeps the outer scope
			outer := k.MemallocNoioSave()
			inner := k.MemallocNoioSave()
			k.MemallocNoioRestore(inner)
			callee(k, mu)
			k.MemallocNoioRestore(outer)
		}))
		everywhere(t, LockOrder, "fs_reclaim", scoped(func(k *Task, mu *Mutex) {
			k.MemallocNoioRestore(k.MemallocNoioSave())
			callee(k, mu)
		}))
		everywhere(t, LockOrder, "fs_reclaim", scoped(func(k *Task, mu *Mutex) { // a scope is its task's
			k.MemallocNoioSave()
			child := k.Go("child", func(k *Task) { callee(k, mu) })
			k.Join(child.Task)
		}))
		passes(t, func(k *Task) {
			noio := k.MemallocNoioSave()
			nofs := k.MemallocNofsSave()
			require.Equal(t, GFP_NOIO, k.inScope(GFP_KERNEL))
			k.MemallocNoioRestore(noio) // in the other order
			require.Equal(t, GFP_NOFS, k.inScope(GFP_KERNEL))
			require.Equal(t, GFP_ATOMIC, k.inScope(GFP_ATOMIC))
			k.MemallocNofsRestore(nofs)
			require.Equal(t, GFP_KERNEL|GFP_NOFAIL, k.inScope(GFP_KERNEL|GFP_NOFAIL))
		})
		fails(t, sim.Misuse, "another kind of scope", func(k *Task) { k.MemallocNofsRestore(k.MemallocNoioSave()) })
	}},
})

// The masks differ in what the reference says they do.
func TestGFP(t *testing.T) {
	for _, c := range []struct {
		gfp           GFP
		sleep, io, fs bool
		name          string
	}{
		{GFP_KERNEL, true, true, true, "GFP_KERNEL"},
		{GFP_NOFS, true, true, false, "GFP_NOFS"},
		{GFP_NOIO, true, false, false, "GFP_NOIO"},
		{GFP_NOWAIT, false, false, false, "GFP_NOWAIT"},
		{GFP_ATOMIC, false, false, false, "GFP_ATOMIC"},
		{GFP_NOIO | GFP_NORETRY | GFP_ZERO, true, false, false, "GFP_NOIO|__GFP_NORETRY|__GFP_ZERO"},
		{0, false, false, false, "0"},
	} {
		require.Equal(t, c.sleep, c.gfp.maySleep(), c.name)
		require.Equal(t, c.io, c.gfp&GFP_IO != 0, c.name)
		require.Equal(t, c.fs, c.gfp&GFP_FS != 0, c.name)
		require.Equal(t, c.name, c.gfp.String())
	}
	fails(t, "warn", "__GFP_NOFAIL allocation of x that may not sleep (GFP_ATOMIC|__GFP_NOFAIL)", func(k *Task) { k.MayFail(GFP_ATOMIC|GFP_NOFAIL, "x") })
}
