package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var noMemoryForWorkers = &Scenario{
	Name: "no-memory-for-workers",
	Story: "Memory is exhausted, and the exporter moves the buffer to free some: it waits for the fence of the " +
		"mapping. The posted design signals that fence from a work item on system_wq, which has no rescuer, " +
		"and no worker can be created before the move is over. A read is in flight meanwhile.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {
			{Kind: sim.Deadlock, Fix: token.FixReclaimQueue},
			{Kind: sim.LostWakeup, Fix: token.FixReclaimQueue},
		},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{})
			w.do(t, transfer{n: page}) // makes the mapping
			x := transfer{n: page, lba: page}
			w.submit(t, x)
			t.ExhaustWorkers(true)
			t.Go("exporter", func(t *kernel.Task) {
				w.exp.Move(t)
				t.ExhaustWorkers(false)
			})
			t.Explore()
			w.expect(t, x, w.rings[0].WaitCQE(t))
			w.teardown(t)
		}
	},
}
