package scenarios

import (
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var noWait = &Scenario{
	Name: "no-wait",
	Story: "A task reads with RWF_NOWAIT into a dma-buf that has no mapping: -EAGAIN is the result, for to make one would be to wait. Then it " +
		"reads without, which makes the mapping, and with RWF_NOWAIT once more, which succeeds unless an exporter has moved the buffer " +
		"meanwhile. The posted design keeps a request for each read that would block.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
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
			t, w := boot(st, c, config{auditTags: true})
			t.Go("io_uring", func(t *kernel.Task) {
				read := func(x transfer, unmapped bool) {
					s := w.sqe(x, 0)
					s.RWFlags = iter.RWF_NOWAIT
					w.rings[0].Submit(t, s)
					if e := w.rings[0].WaitCQE(t); unmapped || e.Res < 0 {
						w.failed(t, e, kernel.EAGAIN)
					} else {
						w.expect(t, x, e)
					}
				}
				read(transfer{n: page}, true)
				w.do(t, transfer{n: page})
				read(transfer{n: page, lba: page}, false)
			})
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			w.teardown(t)
		}
	},
}
