package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
)

var lockHeld = &Scenario{
	Name: "lock-held",
	Story: "An exporter keeps the reservation lock for a while, as for a validation that takes long, and moves nothing. A task writes " +
		"and then reads, and there is no mapping yet. Nobody may be given an error for it, and nothing may be lost: what needs the " +
		"lock is done by a worker, which can wait.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{exporter: "freezing"})
			w.freezing.Held.Shut(t)
			t.Go("io_uring", func(t *kernel.Task) {
				w.do(t, transfer{write: true, n: page, lba: page})
				w.do(t, transfer{at: page, n: page, lba: page})
			})
			t.Go("exporter", w.freezing.Hold)
			t.Go("thaw", w.freezing.Held.Open)
			t.Explore()
			w.teardown(t)
		}
	},
}
