package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var noFenceSlot = &Scenario{
	Name: "no-fence-slot",
	Story: "The exporter moves the buffer, and dma_resv_reserve_fences() fails inside move_notify. The posted " +
		"design warns and returns with the map still published: the exporter sees no fence to wait for and takes the " +
		"pages away, and a read that comes later finds the map and goes through it. It needs no race.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: hw.StaleDMA, Fix: token.FixDrainOnReserveFailure}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{})
			w.do(t, transfer{n: page}) // makes the mapping
			t.K.FailAlloc("dma_resv_list", 1)
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{n: page, lba: page}) })
			t.Explore()
			w.teardown(t)
		}
	},
}
