package scenarios

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/blkmq"
	"dmasim/dmabufsim"
	"dmasim/iter"
	"dmasim/nvmesim"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// driver is a block driver with a queue_rq of the test's.
type driver struct {
	token.Driver // it knows no tokens
	queueRq      func(k *kernel.Task, rq *blkmq.Request) kernel.BlkStatus
}

func (d *driver) QueueRq(k *kernel.Task, rq *blkmq.Request) kernel.BlkStatus { return d.queueRq(k, rq) }

// serve starts a request, and ends it in an interrupt.
func serve(k *kernel.Task, rq *blkmq.Request) kernel.BlkStatus {
	rq.Start(k)
	k.Interrupt("irq disk", func(k *kernel.Task) { rq.Complete(k, kernel.BLK_STS_OK) })
	return kernel.BLK_STS_OK
}

// newQueue is a disk of that driver, which takes eight sectors at once.
func newQueue(k *kernel.Task, tags int, queueRq func(k *kernel.Task, rq *blkmq.Request) kernel.BlkStatus) *blkmq.Queue {
	limits := blkmq.Limits{LogicalBlock: sector, MaxHWSectors: page, DmaAlignment: 3}
	return blkmq.NewQueue(k, "disk", 1<<20, tags, limits, &driver{queueRq: queueRq}, nil)
}

// read is a bio for n pages from the beginning of a disk.
func read(k *kernel.Task, n int, ended func(k *kernel.Task, b *blkmq.Bio)) *blkmq.Bio {
	pages := (&hw.Memory{Chunk: 1}).Alloc(k.Task, "buffer", n)
	b := &blkmq.Bio{Op: blkmq.REQ_OP_READ, BvecIter: blkmq.BvecIter{Size: uint32(n * hw.PageSize)}, EndIO: ended}
	for i := range pages {
		b.Vecs = append(b.Vecs, iter.Bvec{Pages: pages[i:][:1], Len: hw.PageSize})
	}
	return b
}

// behind is a queue_rq that leaves requests on the requeue list until a fence has signalled.
func behind(f *driverFence) func(k *kernel.Task, rq *blkmq.Request) kernel.BlkStatus {
	return func(k *kernel.Task, rq *blkmq.Request) kernel.BlkStatus {
		if f.IsSignaled(k) {
			return serve(k, rq)
		}
		rq.Requeue(k, false)
		kick := func(k *kernel.Task, _ *dmabufsim.Fence, _ *dmabufsim.FenceCB) { rq.Queue().KickRequeueList(k) }
		if f.AddCallback(k, &dmabufsim.FenceCB{}, kick) != kernel.OK {
			rq.Queue().KickRequeueList(k)
		}
		return kernel.BLK_STS_OK
	}
}

// Requests that wait for fences, and bios that are split.
var _ = conform(cases{
	{"C-X-06", func(t *testing.T) {
		// frozen is a queue whose driver waits for a fence, which the freezing task signals.
		frozen := func(freezer func(k *kernel.Task, q *blkmq.Queue, signal func())) func(k *kernel.Task) {
			return func(k *kernel.Task) {
				f := newFence(k, "freezer")
				q := newQueue(k, 1, behind(f))
				ended := 0
				k.Go("submitter", func(k *kernel.Task) {
					q.SubmitBio(k, read(k, 1, func(*kernel.Task, *blkmq.Bio) { ended++ }))
				})
				k.Go("freezer", func(k *kernel.Task) {
					freezer(k, q, func() { f.Signal(k) })
				})
				k.Explore()
				require.Equal(t, 1, ended)
				f.Put(k)
			}
		}
		always(t, frozen(func(k *kernel.Task, q *blkmq.Queue, signal func()) {
			signal()
			q.Freeze(k)
			q.Unfreeze(k)
		}))
		always(t, frozen(func(k *kernel.Task, q *blkmq.Queue, signal func()) {
			q.FreezeStart(k)
			signal()
			q.FreezeWait(k)
			q.Unfreeze(k)
		}))
		f := sometimes(t, sim.LostWakeup, "freezer waits for blk_mq_freeze_queue_wait", frozen(func(k *kernel.Task, q *blkmq.Queue, signal func()) {
			q.Freeze(k)
			signal()
			q.Unfreeze(k)
		}))
		require.Contains(t, f.Detail[0], "tag 0 belongs to the request of sector 0")
	}},
	{"C-X-08", func(t *testing.T) {
		// A device does a part of a bio, and fails with the other.
		for part := range uint64(2) {
			always(t, func(k *kernel.Task) {
				d := nvmesim.NewDrive(k, nvmesim.Config{Name: "nvme0", Size: 1 << 20, Depth: 2, MaxSegments: 1})
				d.Controller().Inject(nvmesim.Fault{What: nvmesim.Fail, From: part * page, To: (part + 1) * page, Status: nvmesim.ReadError | nvmesim.DNR})
				var ended []kernel.BlkStatus
				d.Queue().SubmitBio(k, read(k, 2, func(_ *kernel.Task, b *blkmq.Bio) { ended = append(ended, b.Status()) }))
				k.Explore()
				require.Equal(t, []kernel.BlkStatus{kernel.BLK_STS_MEDIUM}, ended)
				require.Zero(t, d.Controller().Mapped())
				require.Zero(t, d.Queue().Tags.InUse())
			})
		}
		// The same for a dma-buf, whose mapping is counted by part: nothing of it is left when
		// the exporter wants it back.
		for _, name := range []string{"drain", "rfc-v2-repaired"} {
			d, err := FindDesign(name)
			require.NoError(t, err)
			whole.Survives(t, fewDelays(), func(st *sim.Task) {
				k, w := boot(st, Case{Design: d}, config{auditTags: true})
				w.queue.Limits.MaxSectors = page
				w.ctrl.Inject(nvmesim.Fault{What: nvmesim.Fail, From: page, To: 2 * page, Status: nvmesim.ReadError | nvmesim.DNR})
				k.Go("io_uring", func(k *kernel.Task) {
					w.submit(k, transfer{n: 2 * page})
					require.Equal(t, iter.Neg(kernel.ENODATA), w.rings[0].WaitCQE(k).Res)
					w.ref.transferred(k, transfer{n: page}) // the other part
				})
				k.Go("exporter", w.exp.Move)
				k.Explore()
				w.teardown(k)
			})
		}
		// split is a device that maps a bio once, hands its halves on, and unmaps in the end.
		split := func(chained bool) func(k *kernel.Task) {
			return func(k *kernel.Task) {
				lower := newQueue(k, 2, serve)
				dev := hw.NewIOMMU(k.Task, "dev")
				var segs []hw.Segment
				ends := 0
				b := read(k, 2, func(k *kernel.Task, b *blkmq.Bio) {
					ends++
					dev.Unmap(k.Task, segs)
				})
				segs = dev.Map(k.Task, []*hw.Page{b.Vecs[0].Pages[0], b.Vecs[1].Pages[0]}, hw.FromDevice)
				front := lower.Split(k, b, hw.PageSize)
				if chained {
					front.Chain(k, b)
				} else {
					front.EndIO = b.EndIO
				}
				for _, b := range []*blkmq.Bio{front, b} {
					k.Go("submitter", func(k *kernel.Task) { lower.SubmitBio(k, b) })
				}
				k.Explore()
				require.Equal(t, 1, ends)
			}
		}
		always(t, split(true))
		sometimes(t, sim.Misuse, "which is not mapped", split(false))
	}},
	{"C-X-12", func(t *testing.T) {
		// disk reads into a buffer that is on its way: it is there when its KERNEL fence has
		// signalled. First is what the submitter does before it submits.
		disk := func(first func(k *kernel.Task, r *dmabufsim.Resv), queueRq func(r *dmabufsim.Resv, f *driverFence) func(k *kernel.Task, rq *blkmq.Request) kernel.BlkStatus) func(k *kernel.Task) {
			return func(k *kernel.Task) {
				k.K.NoFenceRules = true // the fence is there before the disk, which is not the matter
				buf, f := newBuffer(k, "vram"), newFence(k, "copy")
				buf.Resv.Lock(k, nil)
				buf.Resv.ReserveFences(k, 1)
				buf.Resv.AddFence(k, &f.Fence, dmabufsim.UsageKernel)
				buf.Resv.Unlock(k)
				try := queueRq(&buf.Resv, f)
				q := newQueue(k, 1, func(k *kernel.Task, rq *blkmq.Request) kernel.BlkStatus {
					s := try(k, rq)
					if rq.InFlight() && !f.IsSignaled(k) {
						k.BUG("the device uses the buffer before it is there")
					}
					return s
				})
				k.Interrupt("irq gpu", func(k *kernel.Task) { f.Signal(k) })
				k.Go("submitter", func(k *kernel.Task) {
					first(k, &buf.Resv)
					q.SubmitBio(k, read(k, 1, func(*kernel.Task, *blkmq.Bio) {}))
				})
				k.Explore()
				f.Put(k)
				buf.Put(k)
			}
		}
		nothing := func(*kernel.Task, *dmabufsim.Resv) {}
		wait := func(k *kernel.Task, r *dmabufsim.Resv) { r.Wait(k, dmabufsim.UsageKernel) }
		blindly := func(*dmabufsim.Resv, *driverFence) func(k *kernel.Task, rq *blkmq.Request) kernel.BlkStatus {
			return serve
		}
		requeue := func(_ *dmabufsim.Resv, f *driverFence) func(k *kernel.Task, rq *blkmq.Request) kernel.BlkStatus {
			return behind(f)
		}
		asleep := func(r *dmabufsim.Resv, _ *driverFence) func(k *kernel.Task, rq *blkmq.Request) kernel.BlkStatus {
			return func(k *kernel.Task, rq *blkmq.Request) kernel.BlkStatus {
				wait(k, r)
				return serve(k, rq)
			}
		}
		always(t, disk(wait, blindly))
		always(t, disk(nothing, requeue))
		sometimes(t, kernel.Context, "dma_fence_wait", disk(nothing, asleep))
		sometimes(t, sim.Bug, "before it is there", disk(nothing, blindly))
	}},
	{"C-X-18", func(t *testing.T) {
		// A bio of so many pages goes to a disk that takes one at once, when there is no memory
		// but the reserve of bios.
		split := func(pages int, queueRq func(k *kernel.Task, rq *blkmq.Request) kernel.BlkStatus) func(k *kernel.Task) {
			return func(k *kernel.Task) {
				q := newQueue(k, pages, queueRq)
				ended := 0
				b := read(k, pages, func(*kernel.Task, *blkmq.Bio) { ended++ })
				k.K.Exhaust()
				k.Go("submitter", func(k *kernel.Task) { q.SubmitBio(k, b) })
				k.Explore()
				require.Equal(t, 1, ended)
			}
		}
		const reserve = 2
		everyTrace(t, on, split(reserve+2, serve))
		// The parts depend on each other: the device ends none before it has the last one.
		var held []*blkmq.Request
		together := func(k *kernel.Task, rq *blkmq.Request) kernel.BlkStatus {
			rq.Start(k)
			if rq.Sector == 0 {
				held = nil
			}
			if held = append(held, rq); rq.Bio.Flags&blkmq.REQ_NOMERGE == 0 { // the last part
				for _, rq := range held {
					k.Interrupt("irq disk", func(k *kernel.Task) { rq.Complete(k, kernel.BLK_STS_OK) })
				}
			}
			return kernel.BLK_STS_OK
		}
		everyTrace(t, on, split(reserve+1, together))
		sometimes(t, sim.LostWakeup, "submitter waits for mempool_alloc", split(reserve+2, together))
	}},
})
