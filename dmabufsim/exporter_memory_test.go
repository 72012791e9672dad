package dmabufsim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// A submission that needs the buffer elsewhere moves it, and its job runs there, once the copy has
// run. Alone it has all the slots that it has reserved.
func TestSubmitAt(t *testing.T) {
	for _, p := range Presets() {
		on.Survives(t, explore.NewDPOR(), func(k *kernel.Task) {
			g := NewGPU(k, NewBus(k), "gpu", 1, p.Policy)
			b := g.Export(k, "bo", 1, VRAM)
			ran := false
			k.Go("user", func(k *kernel.Task) {
				err := b.SubmitAt(k, Job{Write: true, Run: func(_ *kernel.Task, pages []*hw.Page) {
					ran = hw.Peek(pages, 0, hw.PageSize).Equal(hw.Bytes("bo", 0, hw.PageSize))
				}}, System)
				require.Equal(t, kernel.OK, err)
			})
			k.Go("exporter", func(k *kernel.Task) { b.Submit(k, Job{}) })
			k.Explore()
			require.True(t, ran, p.Name)
			require.Equal(t, System, b.Place())
			b.Buf.Put(k)
		})
	}
}

// A driver whose copy engine cannot be used for want of a slot waits, and copies by itself; queues
// that cannot be restored are restored later.
func TestExportersWithoutMemory(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		g := NewGPU(k, NewBus(k), "gpu", 0, Policy{WaitFor: UsageBookkeep, Wait: Pipelined})
		b := g.Export(k, "bo", 1, System)
		k.K.FailAlloc("dma_resv_list", 1)
		old := b.pages[0]
		require.Equal(t, kernel.OK, b.Move(k, System))
		require.Equal(t, g.NewOwner, old.Owner, "the copy has run")
		require.True(t, b.Buf.Resv.TestSignaled(k, UsageBookkeep))
		b.Buf.Put(k)
	})
	passes(t, func(k *kernel.Task) {
		g := NewGPU(k, NewBus(k), "gpu", 0, Policy{WaitFor: UsageBookkeep})
		b := g.Export(k, "bo", 1, System)
		k.K.FailAlloc("dma_resv_list", 1)
		q := g.NewUserQueue(k, RestorePolicy{Place: System, Delay: 10}, b)
		require.False(t, q.Running())
		k.Go("idle", step)
		k.Explore()
		require.True(t, q.Running())
		q.Destroy(k)
		b.Buf.Put(k)
	})
}

// What was revoked and given back belongs to the buffer again, with contents as at first.
func TestRestored(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		r := NewRevoking(k, NewBus(k), "vfio", 1)
		r.Revoke(k)
		require.Equal(t, "another guest", r.Backing()[0].Owner)
		r.Restore(k)
		require.Equal(t, "vfio", r.Backing()[0].Owner)
		r.Buf.Put(k)
	})
}
