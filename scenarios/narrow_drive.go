package scenarios

import (
	"dmasim/blkmq"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var narrowDrive = &Scenario{
	Name: "narrow-drive",
	Story: "The drive takes two segments and sixteen sectors in a command. A read of four pages that begins in " +
		"the middle of a page is too long and is cut after two pages' worth of bytes, which lie in three " +
		"pages. The posted splitter does not look at the number of segments where it cuts for the length, and " +
		"the drive is sent a command that it cannot do. An exporter moves the buffer meanwhile.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 1},
	Full:  explore.Coverage{Bound: explore.Delays, N: 3},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: blkmq.OverLimits, Fix: token.FixLimitSegments}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{pages: 5, limits: func(l *blkmq.Limits) { l.MaxSegments, l.MaxSectors = 2, 2*page }})
			w.do(t, transfer{n: page}) // makes the mapping
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{at: 1, n: 4 * page}) })
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			w.teardown(t)
		}
	},
}
