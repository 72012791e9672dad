package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

var sharedWithNic = &Scenario{
	Name: "shared-with-nic",
	Story: "A drive and a network card have imported the same buffer in the memory of a GPU, and both reach it there. While both " +
		"transfer, each a page of its own, the GPU evicts the buffer: move_notify tells both, one after the other, and what the " +
		"one does must not keep the other from doing its part. The card faults its pages in again, and sees the copy.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{exporter: "pipelined", vram: 2, peer: hw.PeerThruHostBridge})
			w.do(t, transfer{n: page}) // makes the mapping
			nic := w.neighbour(t, 1)
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{n: page, lba: page}) })
			t.Go("exporter", func(t *kernel.Task) { w.bufs[0].disturb(t, 0) })
			t.Explore()
			nic.Close(t)
			w.teardown(t)
		}
	},
}
