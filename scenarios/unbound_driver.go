package scenarios

import (
	"dmasim/nvmesim"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var unboundDriver = &Scenario{
	Name: "unbound-driver",
	Story: "A dma-buf is registered and mapped when the driver is unbound from the drive, while an exporter moves the buffer. The file is still " +
		"open, and the buffer is unregistered after that. The posted design takes neither mapping nor attachment away when the driver " +
		"goes: they point to a device without a driver, and what unmaps and detaches later is code of a module that may have gone, too.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {
			{Kind: kernel.Leak, Fix: token.FixDetachOnUnbind},
			// The removal waits for a request that was forgotten before.
			{Kind: sim.LostWakeup, Fix: token.FixFreeRequest},
		},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{drive: nvmesim.Config{Recovers: true}})
			w.do(t, transfer{n: page}) // makes the mapping
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Go("unbind", func(t *kernel.Task) { w.driver.Unbind(t) })
			t.Explore()
			w.teardown(t)
		}
	},
}
