package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

var mappedUnderPressure = &Scenario{
	Name: "mapped-under-pressure",
	Story: "A GPU evicts a buffer, whose mapping is taken away, and a task reads. Memory is short, and the worker that makes the next mapping " +
		"reclaims when it allocates it: it may wait for the fence of the one before, which signals and is freed around that, and must not " +
		"hold what that needs.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 1},
	Full:  explore.Coverage{Bound: explore.Delays, N: 3},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{exporter: "pipelined", vram: 2, peer: hw.PeerThruHostBridge, reclaims: 1, pressed: []string{"iou-wrk"}})
			w.do(t, transfer{n: page}) // makes the mapping
			t.Go("exporter", func(t *kernel.Task) { w.gpu.MakeRoom(t, 2) })
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{at: page, n: page, lba: page}) })
			t.Explore()
			w.teardown(t)
		}
	},
}
