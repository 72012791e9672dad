package scenarios

import (
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
	Story: "A task registers dma-bufs in every wrong way: with memory that cannot be read, without a file, without a dma-buf, for a file " +
		"that is not direct, of a size that is no multiple of the drive's pages, and with each of its allocations failing. Every call " +
		"must fail with its own error, and leave nothing behind. Then it registers the buffer over the registration that is there, which " +
		"an exporter moves meanwhile.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 1},
	Full:  explore.Coverage{Bound: explore.Delays, N: 2},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: kernel.Leak, Fix: token.FixUndoRegister}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{})
			w.do(t, transfer{n: page}) // makes the mapping
			r := w.rings[0]
			odd := w.bus.Export(t, "odd size", 1000, unmapped{})
			register := func(t *kernel.Task, want kernel.Errno, e uringsim.RegBuffer) {
				_, err := r.UpdateBuffers(t, 0, uringsim.IORING_RSRC_F_EXTENDED_UPDATE, []uringsim.RegBuffer{e})
				if err != want {
					t.Fail(iter.WrongErrno, "a registration returned %v, not %v", err, want)
				}
			}
			good := uringsim.RegBuffer{Iovec: &iter.Iovec{}, Target: w.file, DmaBuf: w.exp.Buf}
			t.Go("io_uring", func(t *kernel.Task) {
				wrong := func(want kernel.Errno, change func(e *uringsim.RegBuffer)) {
					e := good
					change(&e)
					register(t, want, e)
				}
				wrong(kernel.EFAULT, func(e *uringsim.RegBuffer) { e.Iovec = nil })
				wrong(kernel.EFAULT, func(e *uringsim.RegBuffer) { e.Iovec = &iter.Iovec{Len: 1} })
				wrong(kernel.EBADF, func(e *uringsim.RegBuffer) { e.Target = nil })
				wrong(kernel.EBADF, func(e *uringsim.RegBuffer) { e.DmaBuf = nil })
				wrong(kernel.EINVAL, func(e *uringsim.RegBuffer) { e.Target = w.queue.Open(0) })
				wrong(kernel.EINVAL, func(e *uringsim.RegBuffer) { e.DmaBuf = odd })
				for _, site := range []string{"io_rsrc_node", "io_regbuf_dma", c.Design.tokenSite} {
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

// unmapped is an exporter whose buffer nobody maps.
type unmapped struct{}

func (unmapped) MapDmaBuf(*kernel.Task, *dmabufsim.Attachment, hw.Direction) (*dmabufsim.SgTable, kernel.Errno) {
	return nil, kernel.ENOMEM
}
func (unmapped) UnmapDmaBuf(*kernel.Task, *dmabufsim.Attachment, *dmabufsim.SgTable, hw.Direction) {}
func (unmapped) Release(*kernel.Task)                                                              {}
