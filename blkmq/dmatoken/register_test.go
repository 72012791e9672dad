package dmatoken

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/dmabufsim"
	"dmasim/internal/simtest/toy"
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
			require.Equal(t, kernel.ENOMEM, w.Register(k))
			require.Equal(t, 1, w.Queue.Refs())
			w.Exp.Buf.Put(k)
		})
	}},
	{"TOK-4", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			w := registered(k, 0)
			first := w.Tok
			require.EqualValues(t, 1, first.refs.Peek())
			require.Nil(t, first.dmaMap.Peek())
			require.Equal(t, 2, w.Queue.Refs()) // TOK-5
			require.Equal(t, kernel.OK, w.Register(k))
			require.NotEqual(t, first.fenceCtx, w.Tok.fenceCtx, "a fence context of its own")
			first.Unregister(k)
			w.Teardown(k)
		})
	}},
	{"TOK-5", func(t *testing.T) {
		// A dying queue: -EFAULT, and the token is freed, but not the dma-buf
		// reference of TOK-3: as posted.
		f := fails(t, kernel.Leak, `file "vram.file" was never released; 1 reference(s) are left`, func(k *kernel.Task) {
			w := newWorld(k, 0)
			w.Queue.Remove(k)
			require.Equal(t, kernel.EFAULT, w.Register(k))
			require.Zero(t, w.Queue.Refs())
			w.Exp.Buf.Put(k)
		})
		require.Empty(t, f.Detail, "that is all")
		passes(t, func(k *kernel.Task) { // repaired
			w := newWorld(k, token.FixUndoRegister)
			w.Queue.Remove(k)
			require.Equal(t, kernel.EFAULT, w.Register(k))
			w.Exp.Buf.Put(k)
		})
	}},
	{"TOK-6", func(t *testing.T) {
		// The driver refuses: its error, the token and the queue reference are gone,
		// the dma-buf reference is not: as posted.
		f := fails(t, kernel.Leak, `file "odd.file" was never released; 1 reference(s) are left`, func(k *kernel.Task) {
			w := newWorld(k, 0)
			good := w.Exp.Buf
			w.Exp.Buf = dmabufsim.NewBus(k).Export(k, "odd", 6144, w.Exp)
			require.Equal(t, kernel.EINVAL, w.Register(k))
			require.Equal(t, 1, w.Queue.Refs())
			w.Exp.Buf.Put(k)
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
						require.Equal(t, kernel.OK, w.Register(k))
						if use {
							f := &token.Frag{}
							require.Equal(t, kernel.BLK_STS_OK, w.Tok.Submit(k, f).Status)
							w.DMA(k, toy.First(f.Map))
							w.Tok.Free(k, f, token.Single)
						}
						w.Tok.Unregister(k)
						settled(k)
						require.False(t, w.Tok.Alive())
						require.Zero(t, w.Ctrl.IOMMU.Mapped())
						require.Equal(t, 1+n*perToken, w.Queue.Refs())
					}
					w.Exp.Buf.Put(k)
				})
			}
		}
	}},
	{"RELEASE with a request", func(t *testing.T) { // the map and the token live until it is freed
		passes(t, func(k *kernel.Task) {
			w := registered(k, 0)
			f := &token.Frag{}
			w.Tok.Submit(k, f)
			w.Tok.Unregister(k)
			settled(k)
			require.True(t, w.Tok.Alive())
			w.DMA(k, toy.First(f.Map))
			w.Tok.Free(k, f, token.Single)
			settled(k)
			require.False(t, w.Tok.Alive())
			w.Exp.Buf.Put(k)
		})
	}},
	{"RELEASE without a fence slot", func(t *testing.T) {
		// REM-2 returns, so the map stays published and keeps its token: as posted.
		fails(t, kernel.Leak, "", func(k *kernel.Task) {
			w := registered(k, 0)
			f := &token.Frag{}
			w.Tok.Submit(k, f)
			w.Tok.Free(k, f, token.Single)
			k.K.FailAlloc("dma_resv_list", 1)
			w.Tok.Unregister(k)
			settled(k)
			require.True(t, w.Tok.Alive())
			require.NotNil(t, w.Tok.dmaMap.Peek())
		})
	}},
}

// A registration whose buffer moves at any time around it.
func TestRegisterAgainstMove(t *testing.T) {
	everywhere(t, func(k *kernel.Task) {
		w := newWorld(k, token.AllFixes())
		k.Go("ring", func(k *kernel.Task) {
			w.Register(k)
			w.Tok.Unregister(k)
		})
		k.Go("exporter", w.Exp.Move)
		k.Explore()
		require.Equal(t, hw.Bytes("vram", 0, 2*hw.PageSize), hw.Peek(w.Exp.Backing(), 0, 2*hw.PageSize))
		require.Equal(t, 1, w.Queue.Refs())
		w.Exp.Buf.Put(k)
	})
}
