package scenarios

import (
	"dmasim/dmabufsim"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var registeredAnew = &Scenario{
	Name: "registered-anew",
	Story: "A buffer is registered in two rings that leave everything to workers, with a mapping in each. One task registers it anew in its " +
		"slot and reads, the other reads and registers it anew. Meanwhile the exporter moves the buffer twice, and each time drops " +
		"the reservation lock to wait for the fences, and begins again. Registrations come and go between the steps of a move: each " +
		"must be told or not be there, and nothing of the old ones may be left.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 1},
	Full:  explore.Coverage{Bound: explore.Delays, N: 2},
	Defects: map[string][]Defect{
		// A read through a mapping that was published too late comes after the fences have signalled, and with two delays
		// after the pages have gone.
		"rfc-v2": {{Kind: dmabufsim.FenceRule, Fix: token.FixPublishUnderResv}, {Kind: hw.StaleDMA, Fix: token.FixPublishUnderResv}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{exporter: "backing-off", rings: 2, mode: "async"})
			for r := range w.rings {
				w.do(t, transfer{ring: r, n: page}) // makes the mapping
			}
			t.Go("io_uring", func(t *kernel.Task) {
				w.renew(t, transfer{ring: 0})
				w.do(t, transfer{n: page, lba: page})
			})
			t.Go("io_uring", func(t *kernel.Task) {
				w.do(t, transfer{ring: 1, at: page, n: page, lba: 2 * page})
				w.renew(t, transfer{ring: 1})
			})
			t.Go("exporter", func(t *kernel.Task) {
				for range 2 {
					w.exp.BufferObject.Move(t, dmabufsim.System)
				}
			})
			t.Explore()
			w.teardown(t)
		}
	},
}
