package scenarios

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/blkmq"
	"dmasim/dmabufsim"
	"dmasim/nvmesim"
	"dmasim/sim"
	"dmasim/sim/kernel"
	"dmasim/uringsim"
)

// Fences that are published, signalled from an interrupt, and outlived by their driver.
var _ = conform(cases{
	{"C-X-01", func(t *testing.T) {
		ended := map[string]int{}
		// submission publishes a fence, and starts the work that signals it. Command says
		// whether the command buffer is allocated before that; late is the mask of what is
		// allocated after it.
		submission := func(commandFirst bool, command, late kernel.GFP) func(k *kernel.Task) {
			return func(k *kernel.Task) {
				buf := newBuffer(k, "buffer")
				resv := &buf.Resv
				resv.Strict = true
				submit := func(k *kernel.Task) string {
					f := newFence(k, "gpu")
					if f == nil {
						return "no fence"
					}
					resv.Lock(k, nil)
					defer resv.Unlock(k)
					if resv.ReserveFences(k, 1) != kernel.OK {
						f.Put(k)
						return "no slot"
					}
					if !commandFirst {
						resv.AddFence(k, &f.Fence, dmabufsim.UsageBookkeep)
					}
					if k.MayFail(command, "command buffer") != kernel.OK {
						f.Put(k)
						return "no command buffer"
					}
					if commandFirst {
						resv.AddFence(k, &f.Fence, dmabufsim.UsageBookkeep)
					}
					said := "submitted"
					if k.MayFail(late, "trace entry") != kernel.OK { // not needed
						said = "not traced"
					}
					k.Interrupt("irq gpu", func(k *kernel.Task) {
						f.Signal(k)
						f.Put(k)
					})
					return said
				}
				k.DrawFaults(kernel.Faults{}, 1, 4, "submitter")
				k.Go("submitter", func(k *kernel.Task) { ended[submit(k)]++ })
				k.Go("waiter", func(k *kernel.Task) { resv.Wait(k, dmabufsim.UsageBookkeep) })
				k.Explore()
				buf.Put(k)
			}
		}
		always(t, submission(true, kernel.GFP_KERNEL, kernel.GFP_ATOMIC))
		for _, want := range []string{"no fence", "no slot", "no command buffer", "not traced", "submitted"} {
			require.NotZero(t, ended[want], want)
		}
		sometimes(t, sim.LostWakeup, "waiter waits for", submission(false, kernel.GFP_ATOMIC, kernel.GFP_ATOMIC))
		sometimes(t, kernel.LockOrder, "dma_fence_map", submission(true, kernel.GFP_KERNEL, kernel.GFP_KERNEL))
		sometimes(t, kernel.LockOrder, "dma_fence_map", submission(true, kernel.GFP_KERNEL, kernel.GFP_NOFS))
	}},
	{"C-X-04", func(t *testing.T) {
		const beyond = 1 << 20 // a read there ends in the submitter's context
		// ending is a read whose bi_end_io signals a fence, which has a callback.
		type parts struct {
			buf  *dmabufsim.DmaBuf
			ring *uringsim.Ring
			done kernel.Completion
		}
		ending := func(sector uint64, callback func(k *kernel.Task, p *parts)) func(k *kernel.Task) {
			return func(k *kernel.Task) {
				k.K.NoFenceRules = true // the fence is there before its I/O, which is not the matter
				p := &parts{buf: newBuffer(k, "buffer"), ring: uringsim.NewRing(k, 1)}
				p.done.Init(k, nil, "done")
				q, _ := nvmesim.NewDisk(k, "nvme0", 1<<20, 2, nil)
				f := newFence(k, "importer")
				p.buf.Resv.Lock(k, nil)
				p.buf.Resv.ReserveFences(k, 1)
				p.buf.Resv.AddFence(k, &f.Fence, dmabufsim.UsageBookkeep)
				p.buf.Resv.Unlock(k)
				var cb dmabufsim.FenceCB
				f.AddCallback(k, &cb, func(k *kernel.Task, _ *dmabufsim.Fence, _ *dmabufsim.FenceCB) { callback(k, p) })
				submit := func(k *kernel.Task) {
					b := read(k, 1, func(k *kernel.Task, _ *blkmq.Bio) {
						f.Signal(k)
						f.Put(k)
					})
					b.Sector = sector
					q.SubmitBio(k, b)
				}
				if sector == beyond {
					k.Go("submitter", submit)
				} else {
					submit(k)
				}
				k.Go("exporter", func(k *kernel.Task) {
					p.buf.Resv.Lock(k, nil)
					p.buf.Resv.Wait(k, dmabufsim.UsageBookkeep)
					p.buf.Resv.Unlock(k)
				})
				k.Explore()
				p.buf.Put(k)
			}
		}
		takesLocks := func(k *kernel.Task, p *parts) {
			p.buf.Resv.Lock(k, nil)
			p.buf.Resv.Unlock(k)
			p.ring.UnregisterBuffer(k, 0)
		}
		for _, sector := range []uint64{0, beyond} {
			always(t, ending(sector, func(k *kernel.Task, p *parts) {
				w := &kernel.Work{}
				w.Init(k, nil, "after fence", func(k *kernel.Task) { takesLocks(k, p) })
				k.K.SystemWq.Queue(k, w)
			}))
			for call, wrong := range map[string]func(k *kernel.Task, p *parts){
				"ww_mutex_lock(dma_resv)":   func(k *kernel.Task, p *parts) { takesLocks(k, p) },
				"mutex_lock(uring_lock)":    func(k *kernel.Task, p *parts) { p.ring.UnregisterBuffer(k, 0) },
				"wait_for_completion(done)": func(k *kernel.Task, p *parts) { p.done.Wait(k) },
			} {
				sometimes(t, kernel.Context, "sleeping function called from invalid context: "+call, ending(sector, wrong))
			}
		}
	}},
	{"C-X-15", func(t *testing.T) {
		// unload is the end of a driver whose fence somebody else still looks at.
		unload := func(signals, waits bool) func(k *kernel.Task) {
			return func(k *kernel.Task) {
				k.K.Profile = kernel.V7_3
				module := &kernel.Mem{}
				k.Alloc(kernel.GFP_KERNEL, module, "driver data")
				name := func(*dmabufsim.Fence) string { return "driver" }
				f := &driverFence{}
				k.Alloc(kernel.GFP_KERNEL, &f.Mem, "fence")
				f.InitOps(k, &f.Mem, &dmabufsim.FenceOps{DriverName: name, TimelineName: name}, nil, dmabufsim.FenceContextAlloc(k, 1), 1)
				f.Get(k)
				k.Go("debugfs", func(k *kernel.Task) {
					k.RCUReadLock()
					if s := f.DriverName(k); s == "driver" {
						k.Use(module) // where the string is
					}
					k.RCUReadUnlock()
					f.Put(k)
				})
				k.Go("rmmod", func(k *kernel.Task) {
					if signals {
						f.Signal(k)
					}
					if waits {
						k.SynchronizeRCU()
					}
					k.Free(module)
					f.Signal(k)
					f.Put(k)
				})
				k.Explore()
			}
		}
		always(t, unload(true, true))
		sometimes(t, kernel.UseAfterFree, "driver data", unload(true, false))
		sometimes(t, kernel.UseAfterFree, "driver data", unload(false, true))
	}},
})
