package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var removeDevice = &Scenario{
	Name: "remove-device",
	Story: "A dma-buf is registered, used and unregistered while the exporter moves it, and then the drive goes. " +
		"The registration took a reference on the queue; the posted design never drops it, and the queue stays for ever. " +
		"A request that it forgets when there is no map keeps a usage reference besides, and the removal waits for that.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {
			{Kind: kernel.Leak, Fix: token.FixPutQueue},
			{Kind: sim.LostWakeup, Fix: token.FixFreeRequest},
		},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{auditQueue: true})
			w.do(t, transfer{n: page}) // makes the mapping
			t.Go("io_uring", func(t *kernel.Task) {
				w.do(t, transfer{n: page, lba: page})
				w.rings[0].UnregisterBuffer(t, 0)
			})
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			w.ref.checkAll(t)
			w.exp.Buf.Put(t)
			w.queue.Remove(t)
		}
	},
}
