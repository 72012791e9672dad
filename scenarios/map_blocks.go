package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
)

var mapBlocks = &Scenario{
	Name: "map-blocks",
	Story: "map_dma_buf takes its time, with the reservation lock held: the exporter has to bring the buffer in first. Two tasks " +
		"read, each with a ring of its own, and neither has a mapping. The one that makes it waits inside of the call, and the " +
		"other one behind it.",
	Quick:  explore.Coverage{Bound: explore.Delays, N: 2},
	Full:   explore.Coverage{Bound: explore.All},
	FullOf: map[string]explore.Coverage{"toy": {Bound: explore.Delays, N: 3}},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{exporter: "freezing", rings: 2, clones: 1})
			w.freezing.Mapping.Shut(t)
			for i := range w.rings {
				t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{ring: i, at: i * page, n: page, lba: i * page}) })
			}
			t.Go("thaw", w.freezing.Mapping.Open)
			t.Explore()
			w.teardown(t)
		}
	},
}
