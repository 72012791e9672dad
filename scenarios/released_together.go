package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
	"dmasim/uringsim"
)

var releasedTogether = &Scenario{
	Name: "released-together",
	Story: "A buffer is registered in two rings, with a mapping in each, and both are unregistered at the same time, each by its own task, " +
		"while it is registered in a third one. Releases, unmaps, detaches and the attach meet at the reservation lock, in every order, and " +
		"nothing may be left.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{rings: 2})
			late := uringsim.NewRing(t, 1)
			t.Go("io_uring", func(t *kernel.Task) { w.register(t, late, 0, w.exp.Buf) })
			for r := range w.rings {
				w.do(t, transfer{ring: r, n: page}) // makes the mapping
				t.Go("io_uring", func(t *kernel.Task) { w.rings[r].UnregisterBuffer(t, 0) })
			}
			t.Explore()
			w.rings = append(w.rings, late)
			w.teardown(t)
		}
	},
}
