package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
)

var coldReads = &Scenario{
	Name: "cold-reads",
	Story: "A task submits two reads of a registered dma-buf at once, before there is a mapping. Both are tried " +
		"without blocking, both go to workers, and the workers race to make the map. One map must come of it, and " +
		"nothing must be left when the buffer is unregistered.",
	Quick:  explore.Coverage{Bound: explore.Delays, N: 2},
	Full:   explore.Coverage{Bound: explore.All},
	FullOf: map[string]explore.Coverage{"toy": {Bound: explore.Delays, N: 3}},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{})
			t.Go("io_uring", func(t *kernel.Task) {
				w.doAll(t, transfer{n: page}, transfer{at: page, n: page, lba: page})
			})
			t.Explore()
			w.teardown(t)
		}
	},
}
