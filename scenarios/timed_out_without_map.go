package scenarios

import (
	"dmasim/iter"
	"dmasim/nvmesim"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var timedOutWithoutMap = &Scenario{
	Name: "timed-out-without-map",
	Story: "The allocation of the map fails when the first read of a registered dma-buf needs one, and the drive loses the next command. " +
		"The read must end with -ENOMEM. The posted design sends it to the drive without a map. It times out, the drive is reset, and the driver " +
		"completes it with the array of a map that it does not have.",
	Quick:    explore.Coverage{Bound: explore.Delays, N: 1},
	Full:     explore.Coverage{Bound: explore.All},
	Unfenced: true,
	Defects: map[string][]Defect{
		"rfc-v2": {
			{Kind: sim.Bug, Fix: token.FixAllocError},
			{Kind: hw.IOMMUFault, Fix: token.FixAllocError}, // of the next try
			// Where the map is made before there is a request, it is made anew, and the error forgotten.
			{Kind: iter.WrongErrno, Fix: token.FixAllocError},
		},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{drive: nvmesim.Config{Recovers: true}})
			t.K.FailAlloc(token.MapSite, 1)
			w.ctrl.Inject(nvmesim.Fault{What: nvmesim.Hang})
			t.Go("io_uring", func(t *kernel.Task) { w.refused(t, transfer{n: page}, kernel.ENOMEM) })
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			w.teardown(t)
		}
	},
}
