package dmatoken

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/dmabufsim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// The cases carry the numbers of the specification's steps.
func TestConformance(t *testing.T) {
	for _, group := range [][]step{registerSteps, mapSteps, removeSteps} {
		for _, s := range group {
			t.Run(s.name, s.check)
		}
	}
}

type step struct {
	name  string
	check func(t *testing.T)
}

var registerSteps = []step{
	{"TOK-2", func(t *testing.T) { // no memory: nothing is left
		passes(t, func(k *kernel.Task) {
			w := newWorld(k, 0)
			k.K.FailAlloc("blk_mq_dma_token", 1)
			require.Equal(t, kernel.ENOMEM, w.register(k))
			require.Equal(t, 1, w.queue.Refs())
			w.exp.Buf.Put(k)
		})
	}},
	{"TOK-4", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			w := registered(k, 0)
			first := w.tok
			require.EqualValues(t, 1, first.refs.Peek())
			require.Nil(t, first.dmaMap.Peek())
			require.Equal(t, 2, w.queue.Refs()) // TOK-5
			require.Equal(t, kernel.OK, w.register(k))
			require.NotEqual(t, first.fenceCtx, w.tok.fenceCtx, "a fence context of its own")
			first.Unregister(k)
			w.teardown(k)
		})
	}},
	{"TOK-5", func(t *testing.T) {
		// A dying queue: -EFAULT, and the token is freed, but not the dma-buf
		// reference of TOK-3: as posted.
		f := fails(t, kernel.Leak, `dma-buf "vram" was never released; 1 reference(s) are left`, func(k *kernel.Task) {
			w := newWorld(k, 0)
			w.queue.Remove(k)
			require.Equal(t, kernel.EFAULT, w.register(k))
			require.Zero(t, w.queue.Refs())
			w.exp.Buf.Put(k)
		})
		require.Empty(t, f.Detail, "that is all")
		passes(t, func(k *kernel.Task) { // repaired
			w := newWorld(k, token.FixUndoRegister)
			w.queue.Remove(k)
			require.Equal(t, kernel.EFAULT, w.register(k))
			w.exp.Buf.Put(k)
		})
	}},
	{"TOK-6", func(t *testing.T) {
		// The driver refuses: its error, the token and the queue reference are gone,
		// the dma-buf reference is not: as posted.
		f := fails(t, kernel.Leak, `dma-buf "odd" was never released; 1 reference(s) are left`, func(k *kernel.Task) {
			w := newWorld(k, 0)
			good := w.exp.Buf
			w.exp.Buf = dmabufsim.NewBus(k).Export(k, "odd", 6144, w.exp)
			require.Equal(t, kernel.EINVAL, w.register(k))
			require.Equal(t, 1, w.queue.Refs())
			w.exp.Buf.Put(k)
			good.Put(k)
		})
		require.Empty(t, f.Detail, "that is all")
	}},
	{"RELEASE", func(t *testing.T) {
		// Registering and releasing again and again leaves nothing but the queue
		// references, which the posted TOKEN-PUT does not drop.
		for _, use := range []bool{false, true} {
			for fixes, perToken := range map[token.Fix]int{0: 1, token.FixPutQueue: 0} {
				passes(t, func(k *kernel.Task) {
					w := newWorld(k, fixes)
					for n := 1; n <= 3; n++ {
						require.Equal(t, kernel.OK, w.register(k))
						if use {
							f := &token.Frag{}
							require.Equal(t, kernel.BLK_STS_OK, w.tok.Submit(k, f).Status)
							w.dma(k, f.Map)
							w.tok.Free(k, f, token.Single)
						}
						w.tok.Unregister(k)
						settled(k)
						require.False(t, w.tok.Alive())
						require.Zero(t, w.ctrl.IOMMU.Mapped())
						require.Equal(t, 1+n*perToken, w.queue.Refs())
					}
					w.exp.Buf.Put(k)
				})
			}
		}
	}},
	{"RELEASE with a request", func(t *testing.T) { // the map and the token live until it is freed
		passes(t, func(k *kernel.Task) {
			w := registered(k, 0)
			f := &token.Frag{}
			w.tok.Submit(k, f)
			w.tok.Unregister(k)
			settled(k)
			require.True(t, w.tok.Alive())
			w.dma(k, f.Map)
			w.tok.Free(k, f, token.Single)
			settled(k)
			require.False(t, w.tok.Alive())
			w.exp.Buf.Put(k)
		})
	}},
	{"RELEASE without a fence slot", func(t *testing.T) {
		// REM-2 returns, so the map stays published and keeps its token: as posted.
		f := run(func(k *kernel.Task) {
			w := registered(k, 0)
			f := &token.Frag{}
			w.tok.Submit(k, f)
			w.tok.Free(k, f, token.Single)
			k.K.FailAlloc("dma_resv_list", 1)
			w.tok.Unregister(k)
			settled(k)
			require.True(t, w.tok.Alive())
			require.NotNil(t, w.tok.dmaMap.Peek())
		})
		require.NotNil(t, f)
		require.Equal(t, kernel.Leak, f.Kind)
	}},
}

// A registration whose buffer moves at any time around it.
func TestRegisterAgainstMove(t *testing.T) {
	everywhere(t, func(k *kernel.Task) {
		w := newWorld(k, token.AllFixes())
		k.Go("ring", func(k *kernel.Task) {
			w.register(k)
			w.tok.Unregister(k)
		})
		k.Go("exporter", w.exp.Move)
		k.Explore()
		require.Equal(t, hw.Stamp{Source: "vram"}, hw.Sector(w.exp.Backing(), 0))
		require.Equal(t, 1, w.queue.Refs())
		w.exp.Buf.Put(k)
	})
}
