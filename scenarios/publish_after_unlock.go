package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var publishAfterUnlock = &Scenario{
	Name: "publish-after-unlock",
	Story: "A task issues the first read of a registered dma-buf, so that the mapping is made, while the " +
		"exporter moves the buffer. The posted design maps under the reservation lock and publishes the map " +
		"after it has dropped the lock. A move_notify in between finds no map, the exporter takes the pages " +
		"away at once, and the read goes through a mapping that nobody will ever invalidate.",
	Params: []Param{
		{Name: "pages", Doc: "pages that the read transfers", Default: 1, Min: 1, Max: 2, Size: true},
		{Name: "reads", Doc: "reads that the task issues, one after the other", Default: 1, Min: 1, Max: 4, Size: true},
	},
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: hw.StaleDMA, Fix: token.FixPublishUnderResv}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{})
			t.Go("io_uring", func(t *kernel.Task) {
				for i := range c.Params["reads"] {
					w.do(t, transfer{n: c.Params["pages"] * page, lba: i * page})
				}
			})
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			w.teardown(t)
		}
	},
}
