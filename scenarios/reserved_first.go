package scenarios

import (
	"dmasim/dmabufsim"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var reservedFirst = &Scenario{
	Name: "reserved-first",
	Story: "The buffer is registered in five rings, with a mapping in each. The exporter reserves the slot for the fence of its " +
		"copy before it calls move_notify, as drivers on TTM do. Each registration asks for a slot, is told that there is one, and " +
		"puts its own fence there: reservations do not add up. Nothing is left for the exporter, and dma_resv_add_fence is a BUG.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 1},
	Full:  explore.Coverage{Bound: explore.Delays, N: 3},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: sim.Bug, Fix: token.FixSpareSlot}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{exporter: "pipelined-reserved", vram: 2, rings: 5, peer: hw.PeerThruHostBridge})
			for r := range w.rings {
				w.do(t, transfer{ring: r, n: page}) // makes the mapping
			}
			t.Go("exporter", func(t *kernel.Task) { w.exp.BufferObject.Move(t, dmabufsim.System) })
			t.Explore()
			w.teardown(t)
		}
	},
}
