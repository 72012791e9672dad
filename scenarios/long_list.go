package scenarios

import (
	"dmasim/blkmq"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var longList = &Scenario{
	Name: "long-list",
	Story: "A read of more than two mebibytes needs a second page of PRP entries, and there is no memory for one " +
		"when it is asked for. The driver has to give back the first one, and the request is tried again. The " +
		"posted driver finds the address of the first one in the command, where it was not written yet. It " +
		"needs no race.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 1},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: sim.Bug, Fix: token.FixFreeList}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			const pages = 514
			t, w := boot(st, c, config{pages: pages, limits: func(l *blkmq.Limits) { l.MaxSegments, l.MaxSectors = 2*pages, l.MaxHWSectors }})
			w.do(t, transfer{n: page}) // makes the mapping
			t.K.FailAlloc("prp list page", 2)
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{n: pages * page}) })
			t.Explore()
			w.teardown(t)
		}
	},
}
