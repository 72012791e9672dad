package scenarios

import (
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var refusedMapping = &Scenario{
	Name: "refused-mapping",
	Story: "The buffer is memory of a device that is taken away (vfio) while a task reads into it. Either the read comes first, or the " +
		"exporter refuses to map the buffer, with -ENODEV, and the read must end with that. The posted design tells every error as " +
		"-ENOMEM, for which a program tries again.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 1},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {
			{Kind: iter.WrongErrno, Fix: token.FixKeepErrno},
			{Kind: kernel.Leak, Fix: token.FixUndoMap}, // of the map that was refused
		},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{exporter: "revoking", peer: hw.PeerThruHostBridge})
			w.do(t, transfer{n: page}) // makes the mapping
			t.Go("io_uring", func(t *kernel.Task) {
				x := transfer{n: page, lba: page}
				w.submit(t, x)
				if e := w.rings[0].WaitCQE(t); e.Res < 0 {
					w.failed(t, e, kernel.ENODEV)
				} else {
					w.expect(t, x, e)
				}
			})
			t.Go("vfio", func(t *kernel.Task) { w.bufs[0].disturb(t, 0) })
			t.Explore()
			w.teardown(t)
		}
	},
}
