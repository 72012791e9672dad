package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var movedAgain = &Scenario{
	Name: "moved-again",
	Story: "An exporter moves a buffer twice, one move right after the other, while a task reads; a mapping exists before. The mapping that the " +
		"read makes may be made before the one of the first move is unmapped and freed, and the second move may find either, or none.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: hw.StaleDMA, Fix: token.FixPublishUnderResv}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{})
			w.do(t, transfer{n: page}) // makes the mapping
			t.Go("exporter", func(t *kernel.Task) {
				for range 2 {
					w.exp.Move(t)
				}
			})
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{n: page, lba: page}) })
			t.Explore()
			w.teardown(t)
		}
	},
}
