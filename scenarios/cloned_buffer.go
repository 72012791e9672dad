package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
)

var clonedBuffer = &Scenario{
	Name: "cloned-buffer",
	Story: "Two rings share one registration of a buffer, which one has cloned from the other. Each of two tasks reads through its ring " +
		"and empties its slot, while the exporter moves the buffer. The registration goes with the last of the two, and not before " +
		"the reads of both are done.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.Delays, N: 3},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{rings: 2, clones: 1})
			w.do(t, transfer{n: page}) // makes the mapping
			for i, r := range w.rings {
				t.Go("io_uring", func(t *kernel.Task) {
					x := transfer{ring: i, at: i * page, n: page, lba: i * page}
					w.submit(t, x)
					r.UnregisterBuffer(t, 0)
					w.expect(t, x, r.WaitCQE(t))
				})
			}
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			w.teardown(t)
		}
	},
}
