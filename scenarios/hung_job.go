package scenarios

import (
	"dmasim/dmabufsim"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var hungJob = &Scenario{
	Name: "hung-job",
	Story: "A job of the GPU that writes the buffer hangs, and its WRITE fence with it, until the driver's timeout kills the job. A " +
		"task reads, without a mapping, and the exporter moves the buffer, which waits for its own job with the reservation lock held. " +
		"Everybody may have to wait for the timeout, and has to go on after it.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: hw.StaleDMA, Fix: token.FixPublishUnderResv}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{exporter: "evict-blocking", vram: 2, peer: hw.PeerThruHostBridge, timeout: 1000})
			w.bufs[0].bo.Submit(t, dmabufsim.Job{Write: true, Hangs: true})
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{n: page}) })
			t.Go("exporter", func(t *kernel.Task) { w.bufs[0].disturb(t, 0) })
			t.Explore()
			w.teardown(t)
		}
	},
}
