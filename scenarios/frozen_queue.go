package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var frozenQueue = &Scenario{
	Name: "frozen-queue",
	Story: "Somebody changes a setting of the drive, for which its queue is frozen: who submits waits, or is told that it would block, and the " +
		"freeze waits for the requests that are under way. An exporter moves the buffer meanwhile. Nobody who waits for the one may hold " +
		"up the other.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		// A request that was forgotten keeps its usage reference.
		"rfc-v2": {
			{Kind: sim.LostWakeup, Fix: token.FixFreeRequest},
			{Kind: sim.Deadlock, Fix: token.FixFreeRequest},
		},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{})
			w.do(t, transfer{n: page}) // makes the mapping
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{n: page, lba: page}) })
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Go("sysfs", func(t *kernel.Task) {
				w.queue.Freeze(t)
				w.queue.Unfreeze(t)
			})
			t.Explore()
			w.teardown(t)
		}
	},
}
