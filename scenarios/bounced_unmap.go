package scenarios

import (
	"dmasim/nvmesim"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var bouncedUnmap = &Scenario{
	Name: "bounced-unmap",
	Story: "The drive reaches memory through bounce pages, as in a confidential guest. The exporter moves a buffer that was " +
		"read into, waits for the fence of the mapping and gives the pages away. Only then does the importer get the reservation " +
		"lock to unmap, and unmapping copies the bounce pages back (amdgpu and xe map with DMA_ATTR_SKIP_CPU_SYNC and unmap " +
		"without), to pages that are somebody else's.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: hw.StaleDMA, Fix: token.FixSkipUnmapSync}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{drive: nvmesim.Config{IOMMU: hw.Config{Bounce: true}}})
			w.do(t, transfer{n: page}) // makes the mapping
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{n: page, lba: page}) })
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			w.teardown(t)
		}
	},
}
