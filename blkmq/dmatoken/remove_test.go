package dmatoken

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/dmabufsim"
	"dmasim/sim"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var removeSteps = []step{
	{"REM-1", func(t *testing.T) {
		fails(t, sim.Misuse, "REM-1 without the reservation lock", func(k *kernel.Task) { registered(k, 0).tok.remove(k) })
	}},
	{"REM-2", func(t *testing.T) {
		// As posted: a warning, and the map stays published; repaired: it is gone.
		f := run(func(k *kernel.Task) {
			w := registered(k, 0)
			made(k, w)
			k.K.FailAlloc("dma_resv_list", 1)
			w.remove(k)
			require.NotNil(t, w.tok.dmaMap.Peek())
			require.True(t, w.exp.Buf.Resv.TestSignaled(k, dmabufsim.UsageBookkeep), "the exporter sees nothing to wait for")
			w.teardown(k)
		})
		require.NotNil(t, f)
		require.Equal(t, sim.Warn, f.Kind)
		require.Contains(t, f.Message, "REM-2")

		passes(t, func(k *kernel.Task) {
			w := registered(k, token.FixDrainOnReserveFailure)
			made(k, w)
			m := w.tok.dmaMap.Peek()
			k.K.FailAlloc("dma_resv_list", 1)
			w.remove(k)
			require.Nil(t, w.tok.dmaMap.Peek())
			settled(k)
			require.False(t, m.Alive())
			w.teardown(k)
		})
	}},
	{"REM-2 waits", func(t *testing.T) { // with a request, the repair waits for it
		fails(t, sim.Deadlock, "nobody can wake init", func(k *kernel.Task) {
			w := registered(k, token.FixDrainOnReserveFailure)
			w.tok.Submit(k, &token.Frag{})
			k.K.FailAlloc("dma_resv_list", 1)
			w.remove(k)
		})
	}},
	{"REM-3", func(t *testing.T) { // no map: nothing is added
		passes(t, func(k *kernel.Task) {
			w := registered(k, 0)
			w.remove(k)
			require.True(t, w.exp.Buf.Resv.TestSignaled(k, dmabufsim.UsageBookkeep))
			w.teardown(k)
		})
	}},
	{"REM-5", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			w := registered(k, 0)
			f := &token.Frag{}
			w.tok.Submit(k, f)
			m := w.tok.dmaMap.Peek()
			w.remove(k)
			require.Nil(t, w.tok.dmaMap.Peek()) // REM-4
			settled(k)
			resv := &w.exp.Buf.Resv
			require.False(t, resv.TestSignaled(k, dmabufsim.UsageKernel), "published with usage KERNEL, and the request holds it up")
			require.False(t, m.refs.TrygetLive(k)) // REM-6
			w.dma(k, f.Map)
			w.tok.Free(k, f, token.Single)
			settled(k)
			require.True(t, resv.TestSignaled(k, dmabufsim.UsageBookkeep)) // WRK-1
			require.Zero(t, w.ctrl.IOMMU.Mapped())                         // WRK-2
			require.False(t, m.Alive())                                    // WRK-3
			require.EqualValues(t, 1, w.tok.refs.Peek())
			w.teardown(k)
		})
	}},
	{"MAP-REL", func(t *testing.T) {
		// The next generation has the next number, and replaces the old fence in the list.
		passes(t, func(k *kernel.Task) {
			w := registered(k, 0)
			for gen := 1; gen <= 6; gen++ {
				f := &token.Frag{}
				w.tok.Submit(k, f)
				require.Equal(t, gen, f.Map.Gen)
				require.EqualValues(t, gen, w.tok.dmaMap.Peek().fence.Seqno)
				w.tok.Free(k, f, token.Single)
				w.remove(k)
				settled(k)
			}
			w.teardown(k)
		})
	}},
}

// made makes a map that no request uses.
func made(k *kernel.Task, w *world) {
	f := &token.Frag{}
	w.tok.Submit(k, f)
	w.tok.Free(k, f, token.Single)
}

// Removing twice is removing once.
func TestRemoveTwice(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		w := registered(k, 0)
		made(k, w)
		w.remove(k)
		w.remove(k)
		settled(k)
		w.teardown(k)
	})
}
