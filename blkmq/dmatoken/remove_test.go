package dmatoken

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/dmabufsim"
	"dmasim/internal/simtest/toy"
	"dmasim/sim"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var removeSteps = []step{
	{"REM-1", func(t *testing.T) {
		fails(t, sim.Misuse, "REM-1 without the reservation lock", func(k *kernel.Task) { registered(k, 0).Tok.remove(k) })
	}},
	{"REM-2", func(t *testing.T) {
		// As posted: a warning, and the map stays published; repaired: it is gone.
		fails(t, sim.Warn, "REM-2", func(k *kernel.Task) {
			w := registered(k, 0)
			made(k, w)
			k.K.FailAlloc("dma_resv_list", 1)
			remove(k, w)
			require.NotNil(t, w.Tok.dmaMap.Peek())
			require.True(t, w.Exp.Buf.Resv.TestSignaled(k, dmabufsim.UsageBookkeep), "the exporter sees nothing to wait for")
			w.Teardown(k)
		})
		passes(t, func(k *kernel.Task) {
			w := registered(k, token.FixDrainOnReserveFailure)
			made(k, w)
			m := w.Tok.dmaMap.Peek()
			k.K.FailAlloc("dma_resv_list", 1)
			remove(k, w)
			require.Nil(t, w.Tok.dmaMap.Peek())
			settled(k)
			require.False(t, m.Alive())
			w.Teardown(k)
		})
	}},
	{"REM-2 waits", func(t *testing.T) { // with a request, the repair waits for it
		fails(t, sim.LostWakeup, "init waits for", func(k *kernel.Task) {
			w := registered(k, token.FixDrainOnReserveFailure)
			w.Tok.Submit(k, &token.Frag{})
			k.K.FailAlloc("dma_resv_list", 1)
			remove(k, w)
		})
	}},
	{"REM-3", func(t *testing.T) { // no map: nothing is added
		passes(t, func(k *kernel.Task) {
			w := registered(k, 0)
			remove(k, w)
			require.True(t, w.Exp.Buf.Resv.TestSignaled(k, dmabufsim.UsageBookkeep))
			w.Teardown(k)
		})
	}},
	{"REM-5", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			w := registered(k, 0)
			f := &token.Frag{}
			w.Tok.Submit(k, f)
			m := w.Tok.dmaMap.Peek()
			remove(k, w)
			require.Nil(t, w.Tok.dmaMap.Peek()) // REM-4
			settled(k)
			resv := &w.Exp.Buf.Resv
			require.False(t, resv.TestSignaled(k, dmabufsim.UsageKernel), "published with usage KERNEL, and the request holds it up")
			require.False(t, m.refs.TrygetLive(k)) // REM-6
			w.DMA(k, toy.First(f.Map))
			w.Tok.Free(k, f, token.Single)
			settled(k)
			require.True(t, resv.TestSignaled(k, dmabufsim.UsageBookkeep)) // WRK-1
			require.Zero(t, w.Ctrl.IOMMU.Mapped())                         // WRK-2
			require.False(t, m.Alive())                                    // WRK-3
			require.EqualValues(t, 1, w.Tok.refs.Peek())
			w.Teardown(k)
		})
	}},
	{"MAP-REL", func(t *testing.T) {
		// The next generation has the next number, and replaces the old fence in the list.
		passes(t, func(k *kernel.Task) {
			w := registered(k, 0)
			for gen := 1; gen <= 6; gen++ {
				f := &token.Frag{}
				w.Tok.Submit(k, f)
				require.Equal(t, gen, f.Map.Gen)
				require.EqualValues(t, gen, w.Tok.dmaMap.Peek().fence.Seqno)
				w.Tok.Free(k, f, token.Single)
				remove(k, w)
				settled(k)
			}
			w.Teardown(k)
		})
	}},
}

// made makes a map that no request uses.
func made(k *kernel.Task, w *world) {
	f := &token.Frag{}
	w.Tok.Submit(k, f)
	w.Tok.Free(k, f, token.Single)
}

// Removing twice is removing once.
func TestRemoveTwice(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		w := registered(k, 0)
		made(k, w)
		remove(k, w)
		remove(k, w)
		settled(k)
		w.Teardown(k)
	})
}
