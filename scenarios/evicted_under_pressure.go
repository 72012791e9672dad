package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

var evictedUnderPressure = &Scenario{
	Name: "evicted-under-pressure",
	Story: "Memory is short. A task reads, and its mapping exists; any of the allocations on its way may have to reclaim memory, and " +
		"a driver waits there for all fences that are published. Meanwhile the GPU evicts its buffers to make room. So no allocation " +
		"that may reclaim can be made by whoever has yet to see to it that a fence signals.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 1},
	Full:  explore.Coverage{Bound: explore.Delays, N: 3},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{exporter: "pipelined", vram: 2, peer: hw.PeerThruHostBridge, reclaims: 1})
			w.do(t, transfer{n: page}) // makes the mapping
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{at: page, n: page, lba: page}) })
			t.Go("exporter", func(t *kernel.Task) { w.gpu.MakeRoom(t, 2) })
			t.Explore()
			w.teardown(t)
		}
	},
}
