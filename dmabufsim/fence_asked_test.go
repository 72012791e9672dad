package dmabufsim

import (
	"testing"

	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
)

// Whoever asks first for the signal of a fence that has to be asked for need not have come: what
// it did before, here an allocation, is not needed for a fence whose work waits for that one.
// What the work itself does is.
func TestAskedByAnother(t *testing.T) {
	program := func(gfp kernel.GFP) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			var resv Resv
			resv.Init(k, "resv")
			var eviction *testFence
			eviction = newFenceOf(k, FenceOps{EnableSignaling: func(k *kernel.Task, f *Fence) bool {
				k.Kthread("evict", sim.Op{Verb: "evict"}, func(k *kernel.Task) { eviction.Signal(k) })
				return true
			}}, nil)
			copied := newFence(k, 2, 1)
			publish := func(f *Fence, u Usage) {
				resv.Lock(k, nil)
				resv.ReserveFences(k, 1)
				resv.AddFence(k, f, u)
				resv.Unlock(k)
			}
			publish(&eviction.Fence, UsageBookkeep)
			publish(&copied.Fence, UsageKernel)
			k.Go("first", func(k *kernel.Task) {
				k.MayFail(kernel.GFP_KERNEL, "of the first")
				eviction.Wait(k)
			})
			k.Go("copy", func(k *kernel.Task) {
				k.MayFail(gfp, "of the copy")
				eviction.Wait(k)
				copied.Signal(k)
			})
			k.Explore()
			resv.fini(k)
			eviction.Put(k)
			copied.Put(k)
		}
	}
	on.Survives(t, explore.NewDPOR(), program(kernel.GFP_ATOMIC))
	finds(t, "R3: an allocation of of the copy", program(kernel.GFP_KERNEL))
}
