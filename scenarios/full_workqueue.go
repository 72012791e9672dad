package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var fullWorkqueue = &Scenario{
	Name: "full-workqueue",
	Story: "A buffer is registered more often than a workqueue has active works, which is 1024 for each CPU, and 2 here so that three " +
		"registrations are enough. Each has a mapping, and the exporter moves the buffer: all works are queued at once. In the posted " +
		"design a work first signals the fence of its mapping, and then waits for the reservation lock to unmap. The exporter holds " +
		"that, and waits for all fences, the last of which is to be signalled by a work that cannot become active. It needs no race.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 1},
	Full:  explore.Coverage{Bound: explore.Delays, N: 3},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: sim.Deadlock, Fix: token.FixUnmapApart}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{rings: 3, active: 2})
			for r := range w.rings {
				w.do(t, transfer{ring: r, n: page}) // makes the mapping
			}
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{n: page, lba: page}) })
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			w.teardown(t)
		}
	},
}
