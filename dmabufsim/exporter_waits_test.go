package dmabufsim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// An exporter that validates in map_dma_buf waits there, with the lock held, for fences of its
// class, also for one that is none of the importer's business.
func TestMapThatWaits(t *testing.T) {
	for _, waits := range []bool{false, true} {
		got := outcomes(t, func(k *kernel.Task, say func(string, ...any)) {
			g := NewGPU(k, NewBus(k), "gpu", 0, Policy{WaitFor: UsageBookkeep, MapWaits: waits, MapWaitFor: UsageBookkeep})
			b := g.Export(k, "bo", 1, System)
			a, _ := b.Buf.DynamicAttach(k, hw.NewIOMMU(k.Task, "dev0"), deafened, nil)
			f := newFence(k, 1, 1)
			publish(k, &b.Buf.Resv, f, UsageBookkeep)
			k.Go("importer", func(k *kernel.Task) {
				sgt, _ := a.MapUnlocked(k, hw.Bidirectional)
				k.Touch(&f.obj, sim.Read)
				say("%v", f.Signaled())
				a.UnmapUnlocked(k, sgt, hw.Bidirectional)
			})
			k.Go("signaller", func(k *kernel.Task) { f.Signal(k); f.Put(k) })
			k.Explore()
			b.Buf.Detach(k, a)
			b.Buf.Put(k)
		})
		if waits {
			require.Equal(t, set("true"), got)
		} else {
			require.Equal(t, set("true", "false"), got)
		}
	}
}

// Revoking waits for fences, too, whoever unmapped before.
func TestRevokeWaitsForFences(t *testing.T) {
	got := outcomes(t, func(k *kernel.Task, say func(string, ...any)) {
		r := NewRevoking(k, NewBus(k), "vfio", 1)
		f := newFence(k, 1, 1)
		publish(k, &r.Buf.Resv, f, UsageBookkeep)
		k.Go("vfio", func(k *kernel.Task) {
			r.Revoke(k)
			say("%v", f.Signaled())
		})
		k.Go("signaller", func(k *kernel.Task) { f.Signal(k); f.Put(k) })
		k.Explore()
		r.Buf.Put(k)
	})
	require.Equal(t, set("true"), got)
}
