package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var polledRing = &Scenario{
	Name: "polled-ring",
	Story: "A ring is set up to find its completions by polling. A task has submitted a read, and then waits for " +
		"the exporter, as one does that computes with what it has read. The exporter moves the buffer and " +
		"waits for the fence of the mapping. Nobody polls: the read is never found to be complete, and the " +
		"fence depends on user space.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {
			{Kind: sim.LostWakeup, Fix: token.FixNoPolling},
			{Kind: sim.Deadlock, Fix: token.FixNoPolling},
		},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{mode: "iopoll"})
			w.warm(t)
			x := transfer{n: page, lba: page}
			w.submit(t, x)
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			w.expect(t, x, w.rings[0].WaitCQE(t))
			w.teardown(t)
		}
	},
}
