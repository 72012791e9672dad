package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var oneRescuer = &Scenario{
	Name: "one-rescuer",
	Story: "Memory is exhausted, and the exporter moves a buffer that is registered twice, with a mapping each. A workqueue with a rescuer " +
		"has one thread then for all its works. If the work that signals a fence goes on to wait for the reservation lock, which the " +
		"exporter holds, the next one does not run, and the exporter waits for its fence. It needs no race.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {
			{Kind: sim.Deadlock, Fix: token.FixReclaimQueue},
			{Kind: sim.Deadlock, Fix: token.FixUnmapApart},
		},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{rings: 2})
			for r := range w.rings {
				w.do(t, transfer{ring: r, n: page}) // makes the mapping
			}
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
