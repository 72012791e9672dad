package dmabufsim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/kernel"
)

var fenceCases = []conformanceCase{
	{"C-FENCE-01", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			f := newFence(k, 1, 1)
			require.Equal(t, 1, f.refs)
			require.False(t, f.Signaled())
			f.Signal(k)
			f.Put(k)
		})
	}},
	{"C-FENCE-02", func(t *testing.T) { // signalling again changes nothing
		passes(t, func(k *kernel.Task) {
			f := newFence(k, 1, 1)
			f.Signal(k)
			f.Signal(k)
			require.True(t, f.Signaled())
			f.Put(k)
		})
	}},
	{"C-FENCE-14", func(t *testing.T) {
		later := func(a, b uint64) bool { return (&Fence{Seqno: a}).later(&Fence{Seqno: b}) }
		require.True(t, later(0x1_0000_0001, 0xffff_ffff))
		require.False(t, later(0xffff_ffff, 0x1_0000_0001))
		require.False(t, later(1<<31, 0), "neither way")
		require.False(t, later(0, 1<<31))
		require.False(t, later(5, 5))
		require.True(t, later(6, 5))
	}},
	{"C-FENCE-18", func(t *testing.T) { // an unsignalled fence without waiters goes silently
		passes(t, func(k *kernel.Task) { newFence(k, 1, 1).Put(k) })
	}},
	{"C-FENCE-22", func(t *testing.T) { // what was stored before the signal is seen after the wait
		always(t, func(k *kernel.Task) {
			f := newFence(k, 1, 1)
			var x kernel.Shared[int]
			x.Init(k, nil, "x", 0)
			k.Go("waiter", func(k *kernel.Task) {
				f.Wait(k)
				if x.Load(k) != 1 {
					k.BUG("stale")
				}
			})
			k.Interrupt("signaller", func(k *kernel.Task) { x.Store(k, 1); f.Signal(k) })
			k.Explore()
			f.Put(k)
		})
	}},
}

func TestFenceMisuse(t *testing.T) {
	fails(t, sim.Deadlock, "nobody can wake init", func(k *kernel.Task) { newFence(k, 1, 1).Wait(k) })
	fails(t, kernel.Context, "dma_fence_wait in hardirq context", func(k *kernel.Task) {
		f := newFence(k, 1, 1)
		f.Signal(k) // it would not have to wait
		k.Interrupt("irq", f.Wait)
		k.Explore()
	})
	freed := func(use func(k *kernel.Task, f *testFence)) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			f := newFence(k, 1, 1)
			f.Get(k)
			f.Signal(k)
			f.Put(k)
			f.Put(k)
			use(k, f)
		}
	}
	passes(t, freed(func(*kernel.Task, *testFence) {}))
	fails(t, kernel.UseAfterFree, "uses fence#1", freed(func(k *kernel.Task, f *testFence) { f.Get(k) }))
	fails(t, kernel.UseAfterFree, "uses fence#1", freed(func(k *kernel.Task, f *testFence) { f.Put(k) }))
	fails(t, kernel.UseAfterFree, "uses fence#1", freed(func(k *kernel.Task, f *testFence) { f.Signal(k) }))
	fails(t, kernel.UseAfterFree, "uses fence#1", freed(func(k *kernel.Task, f *testFence) { f.Wait(k) }))
	fails(t, kernel.Leak, "fence#1 was never freed", func(k *kernel.Task) { newFence(k, 1, 1).Signal(k) })
}
