package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
	"dmasim/uringsim"
)

var registeredLast = &Scenario{
	Name: "registered-last",
	Story: "A buffer is registered in two rings, only one of which has a mapping. Both unregister it, the exporter moves it, and a task registers it " +
		"in a third ring and reads. The new registration is attached while the old ones go and while the buffer moves, and is told of a " +
		"move or maps what comes of it.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.Delays, N: 3},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: hw.StaleDMA, Fix: token.FixPublishUnderResv}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{rings: 2})
			w.do(t, transfer{n: page}) // makes the mapping
			for _, r := range w.rings {
				t.Go("io_uring", func(t *kernel.Task) { r.UnregisterBuffer(t, 0) })
			}
			last := uringsim.NewRing(t, 1)
			w.rings = append(w.rings, last)
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Go("io_uring", func(t *kernel.Task) {
				w.register(t, last, 0, w.exp.Buf)
				w.do(t, transfer{ring: 2, n: page, lba: page})
			})
			t.Explore()
			w.teardown(t)
		}
	},
}
