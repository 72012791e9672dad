package scenarios

import (
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var mapAllocFails = &Scenario{
	Name: "map-alloc-fails",
	Story: "The allocation of the map fails when the first read of a registered dma-buf needs one, then that of its fence, then that of its " +
		"reference count, while the exporter moves the buffer. Each read must end with -ENOMEM. The posted design returns NULL where its caller " +
		"looks for an error pointer, so the request has no map, and the driver takes the token for a page vector.",
	Quick:    explore.Coverage{Bound: explore.Delays, N: 2},
	Full:     explore.Coverage{Bound: explore.All},
	Unfenced: true,
	Defects: map[string][]Defect{
		"rfc-v2": {
			{Kind: hw.IOMMUFault, Fix: token.FixAllocError},
			// Where the map is made before there is a request, it is made anew, and the error forgotten.
			{Kind: iter.WrongErrno, Fix: token.FixAllocError},
		},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{})
			t.Go("io_uring", func(t *kernel.Task) {
				for _, site := range append([]string{token.MapSite}, c.Design.mapSites...) {
					t.K.FailAlloc(site, 1)
					w.refused(t, transfer{n: page}, kernel.ENOMEM)
				}
			})
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			w.teardown(t)
		}
	},
}
