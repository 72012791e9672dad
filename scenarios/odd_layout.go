package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

var oddLayout = &Scenario{
	Name: "odd-layout",
	Story: "The buffer is of pages that are nowhere neighbours, some of the system's memory and some of a peer device's, and its " +
		"table has segments of one and two pages in turn. A write and a read go across all of it and begin in the middle of a page, " +
		"for which the drive needs a list of pages. It needs no race; the data have to be right.",
	Quick: explore.Coverage{Bound: explore.All},
	Full:  explore.Coverage{Bound: explore.All},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{exporter: "odd", pages: 6, peer: hw.PeerThruHostBridge})
			t.Go("io_uring", func(t *kernel.Task) {
				w.do(t, transfer{write: true, at: 3, n: 5 * page, lba: 1})
				w.do(t, transfer{at: 1, n: 5*page + 6, lba: page})
			})
			t.Explore()
			w.teardown(t)
		}
	},
}
