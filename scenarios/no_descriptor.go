package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
)

var noDescriptor = &Scenario{
	Name: "no-descriptor",
	Story: "A read of three pages needs a PRP list, and there is no memory for one when it is asked for. The request goes to the dispatch list " +
		"with the mapping, and is tried again. An exporter moves the buffer meanwhile, and has to wait for that.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{pages: 3})
			w.do(t, transfer{n: page}) // makes the mapping
			t.K.FailAlloc("prp list 256", 1)
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{n: 3 * page}) })
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			w.teardown(t)
		}
	},
}
