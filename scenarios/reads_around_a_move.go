package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
)

var readsAroundAMove = &Scenario{
	Name: "reads-around-a-move",
	Story: "A task submits two reads, one after the other, and then waits for both. The mapping exists when the first one is issued. An " +
		"exporter moves the buffer, and may do so between the two: then the first one completes through the old mapping, and the " +
		"second one has to make a new one.",
	Quick:  explore.Coverage{Bound: explore.Delays, N: 2},
	Full:   explore.Coverage{Bound: explore.All},
	FullOf: map[string]explore.Coverage{"toy": {Bound: explore.Delays, N: 3}},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{})
			w.do(t, transfer{n: page}) // makes the mapping
			t.Go("io_uring", func(t *kernel.Task) {
				w.doAll(t, transfer{n: page, lba: page}, transfer{at: page, n: page, lba: 2 * page})
			})
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			w.teardown(t)
		}
	},
}
