package scenarios

import (
	"dmasim/dmabufsim"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var reservedBySubmission = &Scenario{
	Name: "reserved-by-submission",
	Story: "As reserved-first, but it is a submission that needs the buffer elsewhere: it reserves slots for the fence of the copy and " +
		"for that of its job together, before the buffer is moved and move_notify called (amdgpu). An importer that " +
		"leaves one slot beyond its own is not enough here: somebody has to count how many the exporter was promised.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 1},
	Full:  explore.Coverage{Bound: explore.Delays, N: 3},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: sim.Bug, Fix: token.FixSpareSlot}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{exporter: "pipelined-reserved", vram: 2, rings: 4, peer: hw.PeerThruHostBridge})
			for r := range w.rings {
				w.do(t, transfer{ring: r, n: page}) // makes the mapping
			}
			t.Go("exporter", func(t *kernel.Task) { w.bufs[0].bo.SubmitAt(t, dmabufsim.Job{}, dmabufsim.System) })
			t.Explore()
			w.teardown(t)
		}
	},
}
