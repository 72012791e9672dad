package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var migrateOnMap = &Scenario{
	Name: "migrate-on-map",
	Story: "The buffer is in the memory of a GPU, which the drive cannot reach. The first request makes a mapping, and the " +
		"exporter's map_dma_buf migrates the buffer to system memory: it starts the copy, adds its KERNEL fence, and returns the " +
		"new pages. Whoever waits for fences before the call only has missed that one, and the drive transfers while the copy " +
		"has not run.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: hw.DataCorruption, Fix: token.FixWaitAfterMap}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{exporter: "pipelined", vram: 2})
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{write: true, n: page}) })
			t.Explore()
			w.teardown(t)
		}
	},
}
