package scenarios

import (
	"dmasim/nvmesim"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var resetUnderPressure = &Scenario{
	Name: "reset-under-pressure",
	Story: "Somebody resets the drive, or it has stopped to answer, with a read in flight, while an exporter moves the buffer. The read is " +
		"cancelled and issued again when the drive is back; the fence of the mapping waits for that. On the way there the driver " +
		"allocates memory with GFP_KERNEL. Memory is short, the allocation enters reclaim, and reclaim may wait for the fence.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {
			{Kind: sim.LostWakeup, Fix: token.FixResetScope},
			// The reset waits for a request that was forgotten before.
			{Kind: sim.LostWakeup, Fix: token.FixFreeRequest},
		},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{drive: nvmesim.Config{Recovers: true}, reclaims: 1, pressed: []string{"kworker/nvme-reset-wq"}})
			w.do(t, transfer{n: page}) // makes the mapping
			x := transfer{n: page, lba: page}
			w.submit(t, x)
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Go("reset", func(t *kernel.Task) { w.driver.Reset(t) })
			t.Explore()
			w.expect(t, x, w.rings[0].WaitCQE(t))
			w.teardown(t)
		}
	},
}
