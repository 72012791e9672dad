package scenarios

import (
	"dmasim/dmabufsim"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var moveThereAndBack = &Scenario{
	Name: "move-there-and-back",
	Story: "A task reads, and there is no mapping yet, while the buffer is evicted to system memory and restored to where it was " +
		"in the GPU's memory, which nobody has used meanwhile. A mapping that was made before leads to the right pages again; it " +
		"must not be used all the same, since the copies are jobs of the device that may not have run.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.Delays, N: 3},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: hw.StaleDMA, Fix: token.FixPublishUnderResv}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{exporter: "pipelined", old: dmabufsim.Back, vram: 4, peer: hw.PeerThruHostBridge})
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{at: page, n: page, lba: page}) })
			t.Go("exporter", func(t *kernel.Task) {
				w.exp.BufferObject.Move(t, dmabufsim.System)
				w.exp.BufferObject.Move(t, dmabufsim.VRAM)
			})
			t.Explore()
			w.teardown(t)
		}
	},
}
