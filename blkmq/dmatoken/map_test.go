package dmatoken

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/dmabufsim"
	"dmasim/internal/simtest"
	"dmasim/internal/simtest/toy"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var mapSteps = []step{
	{"GET-2", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			w := registered(k, 0)
			require.Nil(t, w.Tok.getMap(k), "nothing is published")
			m, _ := w.Tok.create(k)
			n := m.refs.Count()
			require.Same(t, m, w.Tok.getMap(k))
			require.Equal(t, n+1, m.refs.Count())
			m.refs.Kill(k)
			require.Nil(t, w.Tok.getMap(k), "a map that was killed, although it is published")
			w.Tok.dmaMap.Assign(k, nil)
			m.refs.Put(k)
			m.refs.Put(k)
			settled(k)
			w.Teardown(k)
		})
	}},
	{"GETMAP", func(t *testing.T) { // never sleeps
		passes(t, func(k *kernel.Task) {
			w := registered(k, 0)
			k.Interrupt("irq", func(k *kernel.Task) { require.Nil(t, w.Tok.getMap(k)) })
			k.Explore()
			w.Teardown(k)
		})
	}},
	{"CREATE", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			w := registered(k, 0)
			m, err := w.Tok.create(k)
			require.Equal(t, kernel.OK, err)
			require.Same(t, m, w.Tok.dmaMap.Peek())      // CREATE-10
			require.Equal(t, 2, m.refs.Count())          // CREATE-9
			require.EqualValues(t, 2, w.Tok.refs.Peek()) // ALLOC
			require.EqualValues(t, 1, m.fence.Seqno)
			require.Equal(t, w.Tok.fenceCtx, m.fence.Context)
			require.False(t, w.Tok.mappingLock.Held(k))
			require.False(t, w.Exp.Buf.Resv.Held(k))
			w.DMA(k, toy.First(&m.Map))

			again, err := w.Tok.create(k) // CREATE-2
			require.Equal(t, kernel.OK, err)
			require.Same(t, m, again)
			require.Equal(t, 3, m.refs.Count())
			m.refs.Put(k)
			m.refs.Put(k)
			w.Teardown(k)
		})
	}},
	{"CREATE-5", func(t *testing.T) { // waits for every class of fences
		fails(t, sim.LostWakeup, "waits for", func(k *kernel.Task) {
			w := registered(k, 0)
			f := &dmaFence{}
			k.Alloc(kernel.GFP_KERNEL, &f.Mem, "fence")
			f.Init(k, &f.Mem, "other", 99, 1)
			resv := &w.Exp.Buf.Resv
			resv.Lock(k, nil)
			resv.ReserveFences(k, 1)
			resv.AddFence(k, &f.Fence, dmabufsim.UsageBookkeep)
			resv.Unlock(k)
			w.Tok.create(k)
		})
	}},
	{"CREATE-8", func(t *testing.T) {
		// A mapping that fails: the error; map, fence and token reference stay, as posted.
		f := fails(t, kernel.Leak, "blk_mq_dma_token#1 was never freed", func(k *kernel.Task) {
			w := registered(k, 0)
			k.K.FailAlloc("nvme dma array", 1)
			f := &token.Frag{}
			require.Equal(t, kernel.BLK_STS_RESOURCE, w.Tok.Submit(k, f).Status)
			require.Nil(t, f.Map)
			require.Nil(t, w.Tok.dmaMap.Peek())
			require.EqualValues(t, 2, w.Tok.refs.Peek())
			require.False(t, w.Exp.Buf.Resv.Held(k))
			require.False(t, w.Tok.mappingLock.Held(k))
			w.Teardown(k)
		})
		rest := strings.Join(f.Detail, "\n")
		require.Contains(t, rest, "nor was dma map#1")
		require.Contains(t, rest, "nor was blk_mq_dma_fence#1")
		passes(t, func(k *kernel.Task) { // repaired, nothing stays
			w := registered(k, token.FixUndoMap)
			k.K.FailAlloc("nvme dma array", 1)
			require.Equal(t, kernel.BLK_STS_RESOURCE, w.Tok.Submit(k, &token.Frag{}).Status)
			settled(k)
			require.EqualValues(t, 1, w.Tok.refs.Peek())
			w.Teardown(k)
		})
	}},
	{"ALLOC", func(t *testing.T) { // every failure leaves nothing, and no number is lost
		for _, site := range []string{token.MapSite, "blk_mq_dma_fence", "percpu_ref"} {
			passes(t, func(k *kernel.Task) {
				w := registered(k, token.FixAllocError)
				k.K.FailAlloc(site, 1)
				f := &token.Frag{}
				require.Equal(t, kernel.BLK_STS_RESOURCE, w.Tok.Submit(k, f).Status, site)
				require.EqualValues(t, 1, w.Tok.refs.Peek())
				require.Nil(t, f.Map)
				require.Equal(t, kernel.BLK_STS_OK, w.Tok.Submit(k, f).Status, "the next one works")
				require.Equal(t, 1, f.Map.Gen)
				require.EqualValues(t, 1, w.Tok.dmaMap.Peek().fence.Seqno)
				w.Tok.Free(k, f, token.Single)
				w.Teardown(k)
			})
		}
	}},
	{"ASG-2", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			w := registered(k, 0)
			f := &token.Frag{Nowait: true}
			require.Equal(t, token.Outcome{Status: kernel.BLK_STS_AGAIN}, w.Tok.Submit(k, f))
			made := &token.Frag{}
			w.Tok.Submit(k, made)
			require.Equal(t, kernel.BLK_STS_OK, w.Tok.Submit(k, f).Status, "there is a map now")
			require.Same(t, made.Map, f.Map)
			w.Tok.Free(k, f, token.Single)
			w.Tok.Free(k, made, token.Single)
			w.Teardown(k)
		})
	}},
	{"ASG-4", func(t *testing.T) { // the NULL of CREATE-3 is taken for a map: as posted
		for fixes, want := range map[token.Fix]kernel.BlkStatus{0: kernel.BLK_STS_OK, token.FixAllocError: kernel.BLK_STS_RESOURCE} {
			passes(t, func(k *kernel.Task) {
				w := registered(k, fixes)
				k.K.FailAlloc(token.MapSite, 1)
				f := &token.Frag{}
				require.Equal(t, want, w.Tok.Submit(k, f).Status)
				require.Nil(t, f.Map)
				m, _ := w.Tok.Queue(k, f)
				require.Nil(t, m)
				w.Tok.Free(k, f, token.Single)
				w.Teardown(k)
			})
		}
	}},
	{"SUB-3", func(t *testing.T) { // who frees the request is the design's to say
		for fixes, want := range map[token.Fix]bool{0: false, token.FixFreeRequest: true} {
			passes(t, func(k *kernel.Task) {
				w := registered(k, fixes)
				require.Equal(t, want, w.Tok.Submit(k, &token.Frag{Nowait: true}).FreeRequest)
				w.Teardown(k)
			})
		}
	}},
	{"CMP-3", func(t *testing.T) {
		for path, drops := range map[token.Path]int{token.Single: 1, token.NeverQueued: 1, token.Batch: 0} {
			passes(t, func(k *kernel.Task) {
				w := registered(k, 0)
				f := &token.Frag{}
				w.Tok.Submit(k, f)
				m := w.Tok.dmaMap.Peek()
				n := m.refs.Count()
				w.Tok.Free(k, f, path)
				require.Equal(t, n-drops, m.refs.Count())
				w.Tok.Free(k, f, token.Single) // for the batch, which drops nothing (CMP-3a)
				require.Equal(t, n-1, m.refs.Count())
				w.Teardown(k)
			})
		}
	}},
}

// Two tasks that need a map at the same time make one between them, in every
// interleaving, and both get a reference.
func TestCreateTogether(t *testing.T) {
	everywhere(t, func(k *kernel.Task) {
		w := registered(k, 0)
		for range 2 {
			k.Go("submitter", func(k *kernel.Task) {
				f := &token.Frag{}
				if w.Tok.Submit(k, f).Status != kernel.BLK_STS_OK || f.Map == nil || f.Map.Gen != 1 {
					k.BUG("got %v", f.Map)
				}
				w.DMA(k, toy.First(f.Map))
				w.Tok.Free(k, f, token.Single)
			})
		}
		k.Explore()
		require.Equal(t, 1, w.Tok.dmaMap.Peek().refs.Count())
		w.Teardown(k)
	})
}

// A request against a move: the posted design publishes too late; repaired, no
// interleaving is flagged.
func TestRequestAgainstMove(t *testing.T) {
	against := func(fixes token.Fix) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			w := registered(k, fixes)
			k.Go("submitter", func(k *kernel.Task) {
				f := &token.Frag{}
				w.Tok.Submit(k, f)
				w.DMA(k, toy.First(f.Map))
				w.Tok.Free(k, f, token.Single)
			})
			k.Go("exporter", w.Exp.Move)
			k.Explore()
			w.Teardown(k)
		}
	}
	on.Finds(t, simtest.Within(explore.Delays, 3), against(0), hw.StaleDMA)
	everywhere(t, against(token.FixPublishUnderResv))
}
