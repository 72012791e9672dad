package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
)

var deferredTask = &Scenario{
	Name: "deferred-task",
	Story: "A task with a ring of DEFER_TASKRUN submits a read through a mapping that exists, and does not enter the kernel again " +
		"until the exporter has moved the buffer. The move waits for the read, so nothing that the wait is for may be left to " +
		"the task: user space does not have to come back.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{mode: "defer-taskrun"})
			w.warm(t)
			var moved kernel.Shared[bool]
			moved.Init(t, nil, "moved", false)
			t.Go("io_uring", func(t *kernel.Task) {
				w.enter(t, 0)
				x := transfer{n: page, lba: page}
				w.submit(t, x)
				moved.Await(t, "compute in user mode", func(b bool) bool { return b })
				w.expect(t, x, w.rings[0].WaitCQE(t))
			})
			t.Go("exporter", func(t *kernel.Task) {
				w.exp.Move(t)
				moved.Store(t, true)
			})
			t.Explore()
			w.teardown(t)
		}
	},
}
