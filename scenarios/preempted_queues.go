package scenarios

import (
	"dmasim/dmabufsim"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

var preemptedQueues = &Scenario{
	Name: "preempted-queues",
	Story: "A compute process has the buffer in use in queues that run all the time, for which a BOOKKEEP fence stands. An " +
		"eviction waits for that, which preempts the queues; after a while a worker takes the reservation lock in a transaction, " +
		"waits for the KERNEL fences with the lock held, and lets the queues run again. A read is in flight meanwhile. The fence of its " +
		"mapping is one that the worker waits for, and must signal whatever the worker holds.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{exporter: "pipelined", vram: 2, peer: hw.PeerThruHostBridge})
			w.do(t, transfer{n: page}) // makes the mapping
			q := w.gpu.NewUserQueue(t, dmabufsim.RestorePolicy{Collect: dmabufsim.UsageKernel, Place: dmabufsim.System}, w.exp.BufferObject)
			x := transfer{at: page, n: page, lba: page}
			w.submit(t, x)
			t.Go("exporter", func(t *kernel.Task) { w.exp.BufferObject.Move(t, dmabufsim.System) })
			t.Explore()
			w.expect(t, x, w.rings[0].WaitCQE(t))
			q.Destroy(t)
			w.teardown(t)
		}
	},
}
