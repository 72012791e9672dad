package scenarios

import (
	"dmasim/dmabufsim"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

var delayedDelete = &Scenario{
	Name: "delayed-delete",
	Story: "A job of the GPU uses the buffer. A task reads into another part of it, unregisters it and drops the last " +
		"reference. The buffer goes when everybody has done with it: the request, the mapping, and the job, whose fence a work item " +
		"of the driver waits for. Whoever comes last, nothing of it may be left.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{exporter: "evict-blocking", vram: 2, peer: hw.PeerThruHostBridge})
			w.do(t, transfer{n: page}) // makes the mapping
			w.bufs[0].bo.Submit(t, dmabufsim.Job{Run: func(*kernel.Task, []*hw.Page) {}})
			t.Go("io_uring", func(t *kernel.Task) {
				w.do(t, transfer{at: page, n: page, lba: page})
				w.rings[0].UnregisterBuffer(t, 0)
				w.release(t)
			})
			t.Explore()
			if n := w.gpu.Free(); n != 2 {
				t.Fail(kernel.Leak, "%d of 2 pages of the GPU's memory are free at the end", n)
			}
		}
	},
}
