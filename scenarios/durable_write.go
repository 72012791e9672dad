package scenarios

import (
	"dmasim/iter"
	"dmasim/nvmesim"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
)

var durableWrite = &Scenario{
	Name: "durable-write",
	Story: "A task writes with RWF_DSYNC to a drive that has a write cache and cannot write through it. The request first " +
		"transfers its data, and then waits for a flush of the cache, which is a request of its own; it keeps the mapping " +
		"until that is over. An exporter moves the buffer meanwhile, and has to wait for the flush as well.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{drive: nvmesim.Config{WriteCache: true}})
			w.do(t, transfer{n: page}) // makes the mapping
			t.Go("io_uring", func(t *kernel.Task) {
				x := transfer{write: true, n: page, lba: page}
				s := w.sqe(x, 0)
				s.RWFlags = iter.RWF_DSYNC
				w.rings[0].Submit(t, s)
				w.expect(t, x, w.rings[0].WaitCQE(t))
			})
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			w.teardown(t)
		}
	},
}
