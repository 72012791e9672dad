package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var restoredTogether = &Scenario{
	Name: "restored-together",
	Story: "Two buffers of a GPU are registered, and one of them has a mapping. Two tasks of the GPU's driver evict and restore them, a buffer each, " +
		"in transactions with an acquire context, and a task reads into the buffer that has no mapping. The buffers share the memory " +
		"manager and the drive, and nothing else: neither may hold up the other.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.Delays, N: 3},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: hw.StaleDMA, Fix: token.FixPublishUnderResv}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{exporter: "pipelined", vram: 8, buffers: 2, peer: hw.PeerThruHostBridge})
			w.do(t, transfer{n: page}) // makes the mapping
			for _, b := range w.bufs {
				t.Go("exporter", func(t *kernel.Task) {
					for n := range 2 {
						b.disturb(t, n)
					}
				})
			}
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{buf: 1, n: page, lba: page}) })
			t.Explore()
			w.teardown(t)
		}
	},
}
