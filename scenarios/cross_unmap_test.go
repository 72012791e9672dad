package scenarios

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/dmabufsim"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// importer is an importer with one mapping and one I/O on it: its move_notify publishes the
// fence of the I/O, whose interrupt signals it, and leaves the unmap to a worker.
type importer struct {
	buf      *dmabufsim.DmaBuf
	att      *dmabufsim.Attachment
	sgt      *dmabufsim.SgTable
	fence    *driverFence
	unmapped kernel.Completion
}

func (i *importer) AllowPeer2Peer() bool { return true }

// MoveNotify publishes the fence. The reservation lock is held.
func (i *importer) MoveNotify(k *kernel.Task, _ *dmabufsim.Attachment) {
	i.buf.Resv.ReserveFences(k, 1)
	i.buf.Resv.AddFence(k, &i.fence.Fence, dmabufsim.UsageBookkeep)
}

func signal(k *kernel.Task, i *importer) { i.fence.Signal(k) }

func unmap(k *kernel.Task, i *importer) {
	i.att.UnmapUnlocked(k, i.sgt, hw.FromDevice)
	i.unmapped.Complete(k)
}

// revocation is an exporter that revokes what the importer has mapped, and the importer's I/O,
// which ends with irq and then, if that asks for it, with work on a queue of the flags.
type revocation struct {
	flags     kernel.WQFlags
	exhausted bool
	irq       func(k *kernel.Task, i *importer)
	work      func(k *kernel.Task, i *importer)
	// revoke replaces what the exporter does.
	revoke func(k *kernel.Task, i *importer)
}

func (r revocation) run(k *kernel.Task) {
	e := dmabufsim.NewRevoking(k, dmabufsim.NewBus(k), "vram", 1)
	dev := hw.NewIOMMU(k.Task, "nic")
	dev.SetPeer(e.Region(), hw.PeerBusAddr)
	i := &importer{buf: e.Buf, fence: newFence(k, "importer")}
	i.unmapped.Init(k, nil, "unmapped")
	i.att, _ = e.Buf.DynamicAttach(k, dev, i, nil)
	i.sgt, _ = i.att.MapUnlocked(k, hw.FromDevice)
	wq := kernel.AllocWorkqueue(k, "importer", kernel.WQ_UNBOUND|r.flags, 0)
	w := &kernel.Work{}
	w.Init(k, nil, "unmap", func(k *kernel.Task) { r.work(k, i) })
	if r.exhausted {
		k.ExhaustWorkers(true)
	}
	k.Device("nic", sim.Op{Verb: "write"}, func(k *kernel.Task) {
		dev.DMA(k.Task, hw.FromDevice, i.sgt.Segments, hw.Bytes("packet", 0, hw.PageSize))
		k.Interrupt("irq nic", func(k *kernel.Task) {
			r.irq(k, i)
			if r.work != nil {
				wq.Queue(k, w)
			}
		})
	})
	k.Go("exporter", func(k *kernel.Task) {
		if r.revoke != nil {
			r.revoke(k, i)
		} else {
			e.Revoke(k)
		}
	})
	k.Explore()
	k.ExhaustWorkers(false)
	i.fence.Put(k)
	e.Buf.Detach(k, i.att)
	e.Buf.Put(k)
}

// right is the importer as it should be, on a queue of the flags.
func right(flags kernel.WQFlags, exhausted bool) revocation {
	return revocation{flags, exhausted, signal, unmap, nil}
}

var _ = conform(cases{
	{"C-X-02", func(t *testing.T) {
		for _, exhausted := range []bool{false, true} {
			always(t, right(kernel.WQ_MEM_RECLAIM, exhausted).run)

			// The fence waits for a lock that the exporter holds while it waits for the fence.
			late := right(kernel.WQ_MEM_RECLAIM, exhausted)
			late.irq = func(*kernel.Task, *importer) {}
			late.work = func(k *kernel.Task, i *importer) {
				unmap(k, i)
				signal(k, i)
			}
			sometimes(t, sim.Deadlock, "", late.run)

			// The second stage is waited for under the lock, which the unmap needs.
			locked := right(kernel.WQ_MEM_RECLAIM, exhausted)
			locked.revoke = func(k *kernel.Task, i *importer) {
				i.buf.Resv.Lock(k, nil)
				i.buf.MoveNotify(k)
				i.buf.Resv.Wait(k, dmabufsim.UsageBookkeep)
				i.unmapped.Wait(k)
				i.buf.Resv.Unlock(k)
			}
			sometimes(t, sim.Deadlock, "", locked.run)
		}
		// No worker at all: the interrupt cannot take the lock.
		direct := right(0, false)
		direct.irq, direct.work = func(k *kernel.Task, i *importer) {
			signal(k, i)
			unmap(k, i)
		}, nil
		sometimes(t, kernel.Context, "ww_mutex_lock(dma_resv) in hardirq context", direct.run)
	}},
	{"C-X-03", func(t *testing.T) {
		f := sometimes(t, sim.Deadlock, "nobody can wake exporter, kworker/importer", right(0, true).run)
		require.Contains(t, strings.Join(f.Detail, "\n"), "the queue has no rescuer")
		always(t, right(0, false).run)
	}},
})
