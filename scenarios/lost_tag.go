package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var lostTag = &Scenario{
	Name: "lost-tag",
	Story: "A drive has one tag. The first read of a registered dma-buf is tried without blocking, and has a " +
		"request with that tag when it finds that there is no map. The posted design ends the bio with -EAGAIN and " +
		"leaves by the exit label, with the request in hand. The read is issued again from a worker, which waits " +
		"for a tag that nobody will give back. An exporter moves the buffer meanwhile, which changes nothing.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {
			{Kind: sim.Deadlock, Fix: token.FixFreeRequest},
			// Only schedules that get past the lost tag come to this.
			{Kind: hw.StaleDMA, Fix: token.FixPublishUnderResv},
		},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{tags: 1, auditTags: true})
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{n: page}) })
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			w.teardown(t)
		}
	},
}
