package scenarios

import (
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var revoked = &Scenario{
	Name: "revoked",
	Story: "The buffer is memory of a device that is reset: its driver takes the memory away for good (vfio), waits for the fences " +
		"and then for the unmaps, and gives it to somebody else. A read is in flight, and another one comes later. Each of them either " +
		"has its data transferred in time, or ends with an error; the memory of the new owner is not touched. Then the memory " +
		"comes back, and the buffer can be used as before.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: kernel.Leak, Fix: token.FixUndoMap}, {Kind: iter.WrongErrno, Fix: token.FixKeepErrno}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{exporter: "revoking", peer: hw.PeerThruHostBridge})
			w.do(t, transfer{n: page}) // makes the mapping
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{n: page, lba: page}) })
			t.Go("vfio", func(t *kernel.Task) { w.bufs[0].disturb(t, 0) })
			t.Explore()
			w.bufs[0].disturb(t, 1)
			w.submit(t, transfer{n: page})
			if res := w.rings[0].WaitCQE(t).Res; res != hw.PageSize {
				t.Fail(iter.WrongErrno, "a read after the memory has come back ended with %s", result(res))
			}
			w.ref.asked += hw.PageSize
			w.teardown(t)
		}
	},
}
