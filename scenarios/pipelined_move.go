package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
)

var pipelinedMove = &Scenario{
	Name: "pipelined-move",
	Story: "The exporter moves the buffer without waiting under the lock: it notifies, adds a KERNEL fence of its own, " +
		"drops the lock, and a job copies the contents once the importers' fences have signalled. The mapping exists when a " +
		"task reads; a new mapping is of the new pages, and whoever makes it has to wait for the copy, or the copy " +
		"overwrites what was read.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{})
			w.do(t, transfer{n: page}) // makes the mapping
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{at: page, n: page, lba: page}) })
			t.Go("exporter", func(t *kernel.Task) { w.exp.MovePipelined(t) })
			t.Explore()
			w.teardown(t)
		}
	},
}
