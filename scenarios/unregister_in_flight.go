package scenarios

import (
	"dmasim/dmabufsim"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
)

var unregisterInFlight = &Scenario{
	Name: "unregister-in-flight",
	Story: "A task submits a read of a registered dma-buf whose mapping exists, and unregisters the buffer while the " +
		"read is in flight. The exporter, which waits for KERNEL fences only, moves the buffer meanwhile. The read must " +
		"complete with its data, and the buffer must be released after it, by whoever comes last.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{})
			w.exp.WaitFor = dmabufsim.UsageKernel
			w.do(t, transfer{n: page}) // makes the mapping
			t.Go("io_uring", func(t *kernel.Task) {
				x := transfer{n: page, lba: page}
				w.submit(t, x)
				w.rings[0].UnregisterBuffer(t, 0)
				w.expect(t, x, w.rings[0].WaitCQE(t))
			})
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			w.ref.checkAll(t)
			w.exp.Buf.Put(t)
		}
	},
}
