package dmatoken

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/dmabufsim"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var mapSteps = []step{
	{"GET-2", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			w := registered(k, 0)
			require.Nil(t, w.tok.getMap(k), "nothing is published")
			m, _ := w.tok.create(k)
			n := m.refs.Count()
			require.Same(t, m, w.tok.getMap(k))
			require.Equal(t, n+1, m.refs.Count())
			m.refs.Kill(k)
			require.Nil(t, w.tok.getMap(k), "a map that was killed, although it is published")
			w.tok.dmaMap.Assign(k, nil)
			m.refs.Put(k)
			m.refs.Put(k)
			settled(k)
			w.teardown(k)
		})
	}},
	{"GETMAP", func(t *testing.T) { // never sleeps
		passes(t, func(k *kernel.Task) {
			w := registered(k, 0)
			k.Interrupt("irq", func(k *kernel.Task) { require.Nil(t, w.tok.getMap(k)) })
			k.Explore()
			w.teardown(k)
		})
	}},
	{"CREATE", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			w := registered(k, 0)
			m, err := w.tok.create(k)
			require.Equal(t, kernel.OK, err)
			require.Same(t, m, w.tok.dmaMap.Peek())      // CREATE-10
			require.Equal(t, 2, m.refs.Count())          // CREATE-9
			require.EqualValues(t, 2, w.tok.refs.Peek()) // ALLOC
			require.EqualValues(t, 1, m.fence.Seqno)
			require.Equal(t, w.tok.fenceCtx, m.fence.Context)
			require.False(t, w.tok.mappingLock.Held(k))
			require.False(t, w.exp.Buf.Resv.Held(k))
			w.dma(k, &m.Map)

			again, err := w.tok.create(k) // CREATE-2
			require.Equal(t, kernel.OK, err)
			require.Same(t, m, again)
			require.Equal(t, 3, m.refs.Count())
			m.refs.Put(k)
			m.refs.Put(k)
			w.teardown(k)
		})
	}},
	{"CREATE-5", func(t *testing.T) { // waits for every class of fences
		fails(t, sim.Deadlock, "nobody can wake", func(k *kernel.Task) {
			w := registered(k, 0)
			f := &dmaFence{}
			k.Alloc(kernel.GFP_KERNEL, &f.Mem, "fence")
			f.Init(k, &f.Mem, "other", 99, 1)
			resv := &w.exp.Buf.Resv
			resv.Lock(k, nil)
			resv.ReserveFences(k, 1)
			resv.AddFence(k, &f.Fence, dmabufsim.UsageBookkeep)
			resv.Unlock(k)
			w.tok.create(k)
		})
	}},
	{"CREATE-8", func(t *testing.T) {
		// A mapping that fails: the error; map, fence and token reference stay, as posted.
		f := fails(t, kernel.Leak, "blk_mq_dma_token#1 was never freed", func(k *kernel.Task) {
			w := registered(k, 0)
			k.K.FailAlloc("nvme dma array", 1)
			f := &token.Frag{}
			require.Equal(t, kernel.BLK_STS_RESOURCE, w.tok.Submit(k, f).Status)
			require.Nil(t, f.Map)
			require.Nil(t, w.tok.dmaMap.Peek())
			require.EqualValues(t, 2, w.tok.refs.Peek())
			require.False(t, w.exp.Buf.Resv.Held(k))
			require.False(t, w.tok.mappingLock.Held(k))
			w.teardown(k)
		})
		rest := strings.Join(f.Detail, "\n")
		require.Contains(t, rest, "nor was dma map#1")
		require.Contains(t, rest, "nor was blk_mq_dma_fence#1")
		passes(t, func(k *kernel.Task) { // repaired, nothing stays
			w := registered(k, token.FixUndoMap)
			k.K.FailAlloc("nvme dma array", 1)
			require.Equal(t, kernel.BLK_STS_RESOURCE, w.tok.Submit(k, &token.Frag{}).Status)
			settled(k)
			require.EqualValues(t, 1, w.tok.refs.Peek())
			w.teardown(k)
		})
	}},
	{"ALLOC", func(t *testing.T) { // every failure leaves nothing, and no number is lost
		for _, site := range []string{token.MapSite, "blk_mq_dma_fence", "percpu_ref"} {
			passes(t, func(k *kernel.Task) {
				w := registered(k, token.FixAllocError)
				k.K.FailAlloc(site, 1)
				f := &token.Frag{}
				require.Equal(t, kernel.BLK_STS_RESOURCE, w.tok.Submit(k, f).Status, site)
				require.EqualValues(t, 1, w.tok.refs.Peek())
				require.Nil(t, f.Map)
				require.Equal(t, kernel.BLK_STS_OK, w.tok.Submit(k, f).Status, "the next one works")
				require.Equal(t, 1, f.Map.Gen)
				require.EqualValues(t, 1, w.tok.dmaMap.Peek().fence.Seqno)
				w.tok.Free(k, f, token.Single)
				w.teardown(k)
			})
		}
	}},
	{"ASG-2", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			w := registered(k, 0)
			f := &token.Frag{Nowait: true}
			require.Equal(t, token.Outcome{Status: kernel.BLK_STS_AGAIN}, w.tok.Submit(k, f))
			made := &token.Frag{}
			w.tok.Submit(k, made)
			require.Equal(t, kernel.BLK_STS_OK, w.tok.Submit(k, f).Status, "there is a map now")
			require.Same(t, made.Map, f.Map)
			w.tok.Free(k, f, token.Single)
			w.tok.Free(k, made, token.Single)
			w.teardown(k)
		})
	}},
	{"ASG-4", func(t *testing.T) { // the NULL of CREATE-3 is taken for a map: as posted
		for fixes, want := range map[token.Fix]kernel.BlkStatus{0: kernel.BLK_STS_OK, token.FixAllocError: kernel.BLK_STS_RESOURCE} {
			passes(t, func(k *kernel.Task) {
				w := registered(k, fixes)
				k.K.FailAlloc(token.MapSite, 1)
				f := &token.Frag{}
				require.Equal(t, want, w.tok.Submit(k, f).Status)
				require.Nil(t, f.Map)
				m, _ := w.tok.Queue(k, f)
				require.Nil(t, m)
				w.tok.Free(k, f, token.Single)
				w.teardown(k)
			})
		}
	}},
	{"SUB-3", func(t *testing.T) { // who frees the request is the design's to say
		for fixes, want := range map[token.Fix]bool{0: false, token.FixFreeRequest: true} {
			passes(t, func(k *kernel.Task) {
				w := registered(k, fixes)
				require.Equal(t, want, w.tok.Submit(k, &token.Frag{Nowait: true}).FreeRequest)
				w.teardown(k)
			})
		}
	}},
	{"CMP-3", func(t *testing.T) {
		for path, drops := range map[token.Path]int{token.Single: 1, token.NeverQueued: 1, token.Batch: 0} {
			passes(t, func(k *kernel.Task) {
				w := registered(k, 0)
				f := &token.Frag{}
				w.tok.Submit(k, f)
				m := w.tok.dmaMap.Peek()
				n := m.refs.Count()
				w.tok.Free(k, f, path)
				require.Equal(t, n-drops, m.refs.Count())
				w.tok.Free(k, f, token.Single) // for the batch, which drops nothing (CMP-3a)
				require.Equal(t, n-1, m.refs.Count())
				w.teardown(k)
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
				if w.tok.Submit(k, f).Status != kernel.BLK_STS_OK || f.Map == nil || f.Map.Gen != 1 {
					k.BUG("got %v", f.Map)
				}
				w.dma(k, f.Map)
				w.tok.Free(k, f, token.Single)
			})
		}
		k.Explore()
		require.Equal(t, 1, w.tok.dmaMap.Peek().refs.Count())
		w.teardown(k)
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
				w.tok.Submit(k, f)
				w.dma(k, f.Map)
				w.tok.Free(k, f, token.Single)
			})
			k.Go("exporter", w.exp.Move)
			k.Explore()
			w.teardown(k)
		}
	}
	r := within(t, 3, against(0))
	require.NotNil(t, r.Found)
	require.Equal(t, hw.StaleDMA, r.Found.Failure.Kind)
	r.Found.Machine.Close()

	everywhere(t, against(token.FixPublishUnderResv))
}
