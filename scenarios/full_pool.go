package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
)

var fullPool = &Scenario{
	Name: "full-pool",
	Story: "A ring has one worker for bounded work, and a task reads into two buffers of two exporters. Neither has a mapping, so " +
		"both reads go to the pool. One exporter takes its time in map_dma_buf; the other read has nothing to do with it and " +
		"waits all the same, for the worker. When the exporter goes on both come to their end.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{exporter: "freezing", buffers: 2, workers: 1})
			w.freezing.Mapping.Shut(t)
			t.Go("io_uring", func(t *kernel.Task) { w.doAll(t, transfer{n: page}, transfer{buf: 1, n: page, lba: page}) })
			t.Go("thaw", w.freezing.Mapping.Open)
			t.Explore()
			w.teardown(t)
		}
	},
}
