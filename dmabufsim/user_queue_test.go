package dmabufsim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// A move has the queues preempted, and they are restored after it.
func TestPreemption(t *testing.T) {
	preempt := func(spoil bool) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			g := NewGPU(k, NewBus(k), "gpu", 2, Policy{WaitFor: UsageKernel, Old: Back})
			b := g.Export(k, "bo", 1, VRAM)
			q := g.NewUserQueue(k, RestorePolicy{Collect: UsageKernel, Place: VRAM, Delay: 10}, b)
			require.True(t, q.Running())
			if spoil {
				b.forget(k)
			}
			k.Go("exporter", func(k *kernel.Task) { b.Move(k, System) })
			k.Explore()
			require.True(t, q.Running(), "and restored")
			require.Equal(t, VRAM, b.Place())
			q.Destroy(k)
			b.Buf.Put(k)
		}
	}
	always(t, preempt(false))
	// One that waits for KERNEL fences only, and has forgotten its own, moves under the queues.
	sometimes(t, hw.StaleDMA, "are moved while a queue of gpu runs on them", preempt(true))
}

// Whom the eviction fence stands in the way of: only who waits for BOOKKEEP fences preempts.
func TestEvictionFenceIsBookkeep(t *testing.T) {
	for u, want := range map[Usage]bool{UsageKernel: true, UsageWrite: true, UsageRead: true, UsageBookkeep: false} {
		passes(t, func(k *kernel.Task) {
			g := NewGPU(k, NewBus(k), "gpu", 1, Policy{WaitFor: UsageBookkeep})
			b := g.Export(k, "bo", 1, VRAM)
			q := g.NewUserQueue(k, RestorePolicy{Place: VRAM, Delay: 10}, b)
			q.stopped = true // no restore
			b.Buf.Resv.Wait(k, u)
			require.Equal(t, want, q.Running(), u)
			q.Destroy(k)
			b.Buf.Put(k)
		})
	}
}

// The restore worker has the locks of two buffers, and others take them too: in a transaction, or
// without a context and one at a time.
func TestRestoreWithOthers(t *testing.T) {
	for _, preset := range RestorePresets() {
		require.NotEmpty(t, preset.Doc)
		p := preset.RestorePolicy
		for _, context := range []bool{false, true} {
			on.Survives(t, explore.NewDPOR(), func(k *kernel.Task) {
				p.Place, p.Delay = VRAM, 10
				g := NewGPU(k, NewBus(k), "gpu", 2, Policy{WaitFor: UsageBookkeep, Old: Back, Context: context})
				one, two := g.Export(k, "one", 1, VRAM), g.Export(k, "two", 1, VRAM)
				q := g.NewUserQueue(k, p, one, two)
				k.Go("exporter", func(k *kernel.Task) { one.Move(k, System) })
				k.Go("submitter", func(k *kernel.Task) { two.Submit(k, Job{Write: true}) })
				k.Explore()
				require.True(t, q.Running())
				require.Equal(t, VRAM, one.Place())
				q.Destroy(k)
				one.Buf.Put(k)
				two.Buf.Put(k)
			})
		}
	}
}

// An importer whose fences signal whatever locks others hold is safe from the worker, which waits
// with locks held; one that needs the lock is not, unless the worker drops its locks.
func TestRestoreWithImporters(t *testing.T) {
	restore := func(p RestorePolicy, i func() *importer) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			i := i()
			k.K.Race("restore_process_worker")
			p.Place, p.Delay = System, 10
			g := NewGPU(k, NewBus(k), "gpu", 0, Policy{WaitFor: UsageBookkeep, Wait: Pipelined})
			b := g.Export(k, "bo", 1, System)
			i.attach(k, b.Buf, hw.NewIOMMU(k.Task, "dev0"))
			i.read(k)
			q := g.NewUserQueue(k, p, b)
			k.Go("exporter", func(k *kernel.Task) { b.Move(k, System) })
			k.Explore()
			require.True(t, q.Running())
			q.Destroy(k)
			i.close(k)
			b.Buf.Put(k)
		}
	}
	for _, p := range RestorePresets() {
		for _, right := range rights {
			on.Survives(t, explore.NewDPOR(), restore(p.RestorePolicy, right))
		}
		wrong := func() *importer { return &importer{locksToSignal: true} }
		if p.DropLocks {
			// No deadlock, since nobody waits with the lock held; but others might.
			on.Finds(t, explore.NewDPOR(), restore(p.RestorePolicy, wrong), FenceRule)
		} else {
			on.Finds(t, explore.NewDPOR(), restore(p.RestorePolicy, wrong), sim.Deadlock)
		}
	}
}
