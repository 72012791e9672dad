package scenarios

import (
	"dmasim/blkmq"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var chunkedDrive = &Scenario{
	Name: "chunked-drive",
	Story: "The drive has boundaries every eight sectors which no command may cross. A read that " +
		"begins in the last sector of a chunk is split there. The posted splitter counts the segments of the " +
		"front as its bytes divided by the page size, which is none; the driver maps nothing then, and the " +
		"command goes out with the data pointers of the one before. It needs no race: an exporter moves the " +
		"buffer meanwhile.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {
			// What the command before left there, by then somebody else's or nobody's.
			{Kind: hw.IOMMUFault, Fix: token.FixCountSegments},
			{Kind: hw.StaleDMA, Fix: token.FixCountSegments},
			{Kind: hw.DataCorruption, Fix: token.FixCountSegments},
		},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{tags: 2, limits: func(l *blkmq.Limits) { l.ChunkSectors = page }})
			w.do(t, transfer{n: page}) // makes the mapping
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{at: page, n: 2, lba: 2*page - 1}) })
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			w.teardown(t)
		}
	},
}
