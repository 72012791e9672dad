package scenarios

import (
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var closedRing = &Scenario{
	Name: "closed-ring",
	Story: "A task reads by a polled ring into a dma-buf that has no mapping, and closes the ring at once, while an exporter moves the buffer. A " +
		"worker has the read, or it is cancelled. Nobody is left who would poll for it but the worker that frees the ring, and with it the " +
		"registration. The posted design keeps the request of the first issue.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 3},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {
			{Kind: kernel.Leak, Fix: token.FixFreeRequest},
			// Only runs whose request is not left behind come to this.
			{Kind: hw.StaleDMA, Fix: token.FixPublishUnderResv},
		},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{mode: "iopoll", auditTags: true})
			x := transfer{n: page}
			t.Go("io_uring", func(t *kernel.Task) {
				w.submit(t, x)
				w.leave(t, 0)
			})
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			switch cqe, ok := w.rings[0].PeekCQE(t); { // the memory of the entries is the task's
			case !ok:
				t.Fail(iter.LostCompletion, "the ring has gone, and its request is not complete")
			case cqe.Res == iter.Neg(kernel.ECANCELED):
			default:
				w.expect(t, x, cqe)
			}
			w.teardown(t)
		}
	},
}
