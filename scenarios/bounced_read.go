package scenarios

import (
	"dmasim/nvmesim"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var bouncedRead = &Scenario{
	Name: "bounced-read",
	Story: "The drive reaches memory through bounce pages. A task reads one sector, while another part of the " +
		"same page is written by the CPU, which tells nobody, since it is not what is being read. At the " +
		"completion the posted driver syncs the whole page, and the bytes beside the sector are what they " +
		"were when the mapping was made. It needs no race with an exporter.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: hw.DataCorruption, Fix: token.FixSyncRange}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{drive: nvmesim.Config{IOMMU: hw.Config{Bounce: true}}})
			w.do(t, transfer{n: 1}) // makes the mapping
			w.cpuWrite(t, transfer{at: 4, n: 2})
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{n: 1, lba: page}) })
			t.Explore()
			w.teardown(t)
		}
	},
}
