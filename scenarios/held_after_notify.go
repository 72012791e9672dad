package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
)

var heldAfterNotify = &Scenario{
	Name: "held-after-notify",
	Story: "An exporter calls move_notify and then keeps the reservation lock for a while before it moves the buffer. A read is " +
		"in flight through the old mapping, and must come to its end although nobody gets the lock: what it needs for that may not " +
		"take it. A second read has to wait for a new mapping.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{exporter: "freezing"})
			w.do(t, transfer{n: page}) // makes the mapping
			x := transfer{at: page, n: page, lba: page}
			w.submit(t, x)
			w.freezing.Held.Shut(t)
			t.Go("io_uring", func(t *kernel.Task) {
				w.freezing.Held.Open(t)
				w.do(t, transfer{n: page, lba: 2 * page})
			})
			t.Go("exporter", w.freezing.InvalidateAndHold)
			t.Explore()
			w.expect(t, x, w.rings[0].WaitCQE(t))
			w.teardown(t)
		}
	},
}
