package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var dmaMapFails = &Scenario{
	Name: "dma-map-fails",
	Story: "The driver cannot map the buffer for the first read of a registered dma-buf: there is no memory for its " +
		"array of addresses. The read ends with -ENOMEM. The posted design leaves behind what it had allocated for the map, " +
		"with a reference on the token, so that nothing of the registration is ever freed.",
	Quick:    explore.Coverage{Bound: explore.Delays, N: 2},
	Full:     explore.Coverage{Bound: explore.All},
	Unfenced: true,
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: kernel.Leak, Fix: token.FixUndoMap}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{})
			t.K.FailAlloc("nvme dma array", 1)
			t.Go("io_uring", func(t *kernel.Task) { w.refused(t, transfer{n: page}, kernel.ENOMEM) })
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			w.teardown(t)
		}
	},
}
