package scenarios

import (
	"math"

	"dmasim/blkmq"
	"dmasim/dmabufsim"
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
	"dmasim/uringsim"
)

var wrongRegistrations = &Scenario{
	Name: "wrong-registrations",
	Story: "A task registers dma-bufs in every wrong way: with calls that make no sense, with memory that cannot be read, without a file, " +
		"without a dma-buf, for a file that is not direct, for a device without requests, for one whose driver has no callbacks, of a size " +
		"that is no multiple of the drive's pages, and with each of its allocations failing. Every call must fail with its own error, and " +
		"leave nothing behind. Then it registers the buffer over the registration that is there, which an exporter moves meanwhile.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 1},
	Full:  explore.Coverage{Bound: explore.Delays, N: 3},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: kernel.Leak, Fix: token.FixUndoRegister}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{})
			w.do(t, transfer{n: page}) // makes the mapping
			r := w.rings[0]
			odd := w.bus.Export(t, "odd size", 1000, unmapped{})
			stacked := blkmq.NewStacked(t, "dm-0", driveSize, w.queue.Limits, &blkmq.Linear{Lower: w.queue})
			disk := blkmq.NewQueue(t, "sda", driveSize, 1, w.queue.Limits, noCallbacks{}, w.queue.Design)
			register := func(t *kernel.Task, want kernel.Errno, e uringsim.RegBuffer) {
				_, err := r.UpdateBuffers(t, 0, uringsim.IORING_RSRC_F_EXTENDED_UPDATE, []uringsim.RegBuffer{e})
				if err != want {
					t.Fail(iter.WrongErrno, "a registration returned %v, not %v", err, want)
				}
			}
			good := uringsim.RegBuffer{Iovec: &iter.Iovec{}, Target: w.file, DmaBuf: w.exp.Buf}
			update := func(t *kernel.Task, r *uringsim.Ring, want kernel.Errno, off, flags uint32, entries ...uringsim.RegBuffer) {
				if _, err := r.UpdateBuffers(t, off, flags, entries); err != want {
					t.Fail(iter.WrongErrno, "an update of buffers returned %v, not %v", err, want)
				}
			}
			empty := uringsim.NewRing(t, 0)
			t.Go("io_uring", func(t *kernel.Task) {
				const extended = uringsim.IORING_RSRC_F_EXTENDED_UPDATE
				update(t, r, kernel.EINVAL, 0, extended)
				update(t, r, kernel.EOVERFLOW, math.MaxUint32, extended, good)
				update(t, empty, kernel.ENXIO, 0, extended, good)
				update(t, r, kernel.EINVAL, 0, extended<<1, good)
				update(t, r, kernel.EINVAL, 1, extended, good)
				update(t, r, kernel.EFAULT, 0, extended, uringsim.RegBuffer{Unreadable: true})
				t.K.FailAlloc("io_mapped_ubuf", 1) // none is in the cache yet
				register(t, kernel.ENOMEM, good)
				wrong := func(want kernel.Errno, change func(e *uringsim.RegBuffer)) {
					e := good
					change(&e)
					register(t, want, e)
				}
				wrong(kernel.EFAULT, func(e *uringsim.RegBuffer) { e.Iovec = nil })
				wrong(kernel.EFAULT, func(e *uringsim.RegBuffer) { e.Iovec = &iter.Iovec{Len: 1} })
				wrong(kernel.EBADF, func(e *uringsim.RegBuffer) { e.Target = nil })
				wrong(kernel.EBADF, func(e *uringsim.RegBuffer) { e.DmaBuf = nil })
				wrong(kernel.EINVAL, func(e *uringsim.RegBuffer) { e.DmaBuf, e.Foreign = nil, true })
				wrong(kernel.EINVAL, func(e *uringsim.RegBuffer) { e.Target = w.queue.Open(0) })
				wrong(kernel.EINVAL, func(e *uringsim.RegBuffer) { e.Target = stacked.Open(iter.O_DIRECT) })
				wrong(kernel.EINVAL, func(e *uringsim.RegBuffer) { e.Target = disk.Open(iter.O_DIRECT) })
				wrong(kernel.EINVAL, func(e *uringsim.RegBuffer) { e.DmaBuf = odd })
				for _, site := range []string{"io_rsrc_node", "io_regbuf_dma", c.Design.tokenSite, "dma_buf_attachment"} {
					t.K.FailAlloc(site, 1)
					wrong(kernel.ENOMEM, func(*uringsim.RegBuffer) {})
				}
				register(t, kernel.OK, good)
				w.do(t, transfer{n: page, lba: page})
			})
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			odd.Put(t)
			w.teardown(t)
		}
	},
}

// noCallbacks is a driver that does not know of dma-bufs.
type noCallbacks struct{}

func (noCallbacks) QueueRq(*kernel.Task, *blkmq.Request) kernel.BlkStatus {
	return kernel.BLK_STS_IOERR
}

// unmapped is an exporter whose buffer nobody maps.
type unmapped struct{}

func (unmapped) MapDmaBuf(*kernel.Task, *dmabufsim.Attachment, hw.Direction) (*dmabufsim.SgTable, kernel.Errno) {
	return nil, kernel.ENOMEM
}
func (unmapped) UnmapDmaBuf(*kernel.Task, *dmabufsim.Attachment, *dmabufsim.SgTable, hw.Direction) {}
func (unmapped) Release(*kernel.Task)                                                              {}
