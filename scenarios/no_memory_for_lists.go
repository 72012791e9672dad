package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var noMemoryForLists = &Scenario{
	Name: "no-memory-for-lists",
	Story: "Memory is exhausted. A read of three pages needs a PRP list, and there is none to be had; its request has the mapping and waits " +
		"to be tried again. The exporter moves the buffer to free memory, and waits for the fence of the mapping, and so for that " +
		"request. GFP_ATOMIC keeps the driver from waiting for the fence itself, but not the fence from waiting for memory. It needs no race.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {
			{Kind: sim.Livelock, Fix: token.FixReserveLists},
			{Kind: sim.Deadlock, Fix: token.FixReclaimQueue}, // there is no memory for a worker, either
		},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{pages: 3})
			w.do(t, transfer{n: page}) // makes the mapping
			t.ExhaustWorkers(true)
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{n: 3 * page}) })
			t.Go("exporter", func(t *kernel.Task) {
				w.exp.Move(t)
				t.ExhaustWorkers(false)
			})
			t.Explore()
			w.teardown(t)
		}
	},
}
