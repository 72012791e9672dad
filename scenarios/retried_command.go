package scenarios

import (
	"dmasim/nvmesim"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
)

var retriedCommand = &Scenario{
	Name: "retried-command",
	Story: "The drive interrupts a read, and the driver tries it again. In between the request has been completed as far as the driver " +
		"is concerned, and has not been freed: the mapping that it goes through is needed once more. An exporter moves the buffer " +
		"meanwhile, and has to wait for the second try.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{})
			w.do(t, transfer{n: page}) // makes the mapping
			w.ctrl.Inject(nvmesim.Fault{What: nvmesim.Fail, Status: nvmesim.CommandInterrupted})
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{n: page, lba: page}) })
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			w.teardown(t)
		}
	},
}
