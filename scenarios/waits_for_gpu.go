package scenarios

import (
	"dmasim/dmabufsim"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

var waitsForGpu = &Scenario{
	Name: "waits-for-gpu",
	Story: "A task with a ring of DEFER_TASKRUN submits a read through a mapping that exists, then a job of the GPU that writes " +
		"the buffer, and waits for the job in user space before it enters the ring again. The job waits for what the reservation object " +
		"has by then: if the exporter has moved the buffer meanwhile, that includes the importer's fence. Were the fence to need " +
		"the task, job and task would wait for each other.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{exporter: "pipelined", vram: 4, peer: hw.PeerThruHostBridge, mode: "defer-taskrun"})
			w.warm(t)
			var done kernel.Shared[bool]
			done.Init(t, nil, "job done", false)
			t.Go("io_uring", func(t *kernel.Task) {
				w.enter(t, 0)
				x := transfer{n: page, lba: page}
				w.submit(t, x)
				w.bufs[0].bo.Submit(t, dmabufsim.Job{Write: true, Run: func(t *kernel.Task, _ []*hw.Page) { done.Store(t, true) }})
				done.Await(t, "wait in user mode", func(b bool) bool { return b })
				w.expect(t, x, w.rings[0].WaitCQE(t))
			})
			t.Go("exporter", func(t *kernel.Task) { w.bufs[0].disturb(t, 0) })
			t.Explore()
			w.teardown(t)
		}
	},
}
