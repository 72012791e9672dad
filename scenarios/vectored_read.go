package scenarios

import (
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
	"dmasim/uringsim"
)

var vectoredRead = &Scenario{
	Name: "vectored-read",
	Story: "A task reads into a registered dma-buf with IORING_OP_READV_FIXED. The posted import of vectors " +
		"knows nothing of dma-bufs: it walks a table of vectors that was never written, in units of a byte. " +
		"The read must fail with -EFAULT. It needs no race.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 1},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: sim.Bug, Fix: token.FixRefuseVectored}},
	},
	Unfenced: true,
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{})
			t.Go("io_uring", func(t *kernel.Task) {
				r := w.rings[0]
				r.Submit(t, uringsim.SQE{Opcode: uringsim.IORING_OP_READV_FIXED, File: w.file, Iovecs: []iter.Iovec{{Len: hw.PageSize}}})
				w.failed(t, r.WaitCQE(t), kernel.EFAULT)
			})
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			w.teardown(t)
		}
	},
}
