package scenarios

import (
	"dmasim/dmabufsim"
	"dmasim/nvmesim"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var bouncedTogether = &Scenario{
	Name: "bounced-together",
	Story: "The drive reaches memory through bounce pages, and a buffer is registered in two rings, of which one has a mapping. Each mapping has " +
		"bounce pages of its own for the same memory. Two tasks read into two pages of the buffer, and the second mapping is made while the " +
		"first one is in use; what one syncs must leave alone what the other has read. An exporter that drops the reservation lock to wait moves " +
		"the buffer meanwhile.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 1},
	Full:  explore.Coverage{Bound: explore.Delays, N: 3},
	Defects: map[string][]Defect{
		"rfc-v2": {
			{Kind: hw.StaleDMA, Fix: token.FixSkipUnmapSync},
			// A mapping that is published too late is unmapped as late.
			{Kind: hw.StaleDMA, Fix: token.FixPublishUnderResv},
		},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{exporter: "backing-off", rings: 2, drive: nvmesim.Config{IOMMU: hw.Config{Bounce: true}}})
			w.do(t, transfer{n: page}) // makes the mapping
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{n: page, lba: page}) })
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{ring: 1, at: page, n: page, lba: 2 * page}) })
			t.Go("exporter", func(t *kernel.Task) { w.exp.BufferObject.Move(t, dmabufsim.System) })
			t.Explore()
			w.teardown(t)
		}
	},
}
