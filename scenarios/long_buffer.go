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

var longBuffer = &Scenario{
	Name: "long-buffer",
	Story: "A dma-buf of four gibibytes and a page is registered. The length of a buffer has 32 bits, and the posted design keeps what is " +
		"left of the size: a page. What is read into the rest is refused, as if it were behind the end. The registration must fail, " +
		"or the read be tried. It needs no race: an exporter moves another buffer meanwhile.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: iter.WrongErrno, Fix: token.FixCheckSize}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{})
			w.do(t, transfer{n: page}) // makes the mapping
			buf := w.bus.Export(t, "long", 1<<32+hw.PageSize, unmapped{})
			r := uringsim.NewRing(t, 1)
			t.Go("io_uring", func(t *kernel.Task) {
				if r.RegisterDmaBuf(t, 0, w.file, buf) != kernel.OK {
					return
				}
				r.Submit(t, uringsim.SQE{Opcode: uringsim.IORING_OP_READ_FIXED, File: w.file, Addr: hw.PageSize, Len: hw.PageSize})
				if res := r.WaitCQE(t).Res; res == iter.Neg(kernel.EFAULT) {
					t.Fail(iter.WrongErrno, "a read at %d of a buffer of %d bytes ended with %s", hw.PageSize, buf.Size, result(res))
				}
			})
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			r.UnregisterBuffers(t)
			buf.Put(t)
			w.teardown(t)
		}
	},
}
