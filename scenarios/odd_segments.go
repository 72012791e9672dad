package scenarios

import (
	"dmasim/dmabufsim"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var oddSegments = &Scenario{
	Name: "odd-segments",
	Story: "An exporter maps a buffer of two pages in segments of 2048 bytes, against what the " +
		"interface promises. The posted driver takes 4096 bytes at a time off an unsigned length until it is 0, and " +
		"writes addresses past the end of its array for ever. It must do without, and the read fail. It needs " +
		"no race.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 1},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {
			{Kind: sim.Bug, Fix: token.FixCheckLayout},
			{Kind: kernel.Leak, Fix: token.FixUndoMap}, // of the refused map
		},
	},
	Unfenced: true,
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{exporter: "odd", rings: 2, peer: hw.PeerThruHostBridge, layout: dmabufsim.Layout{Cuts: []int{2048}}})
			for r := range w.rings {
				t.Go("io_uring", func(t *kernel.Task) {
					w.submit(t, transfer{ring: r, n: page})
					if e := w.rings[r].WaitCQE(t); e.Res >= 0 {
						t.Fail(sim.Bug, "a read into segments that are no pages completed with %s", result(e.Res))
					}
				})
			}
			t.Explore()
			w.teardown(t)
		}
	},
}
