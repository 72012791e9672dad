package scenarios

import (
	"dmasim/dmabufsim"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var frozenSwap = &Scenario{
	Name: "frozen-swap",
	Story: "As swap-to-the-drive, with tags for everybody; but somebody freezes the queue meanwhile, to change a setting. " +
		"A read that has to make a mapping is in the queue and waits for the reservation lock. Its holder wants to write to " +
		"swap, and waits until the queue is not frozen any more. The freeze waits for the read to leave the queue.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.Delays, N: 3},
	Defects: map[string][]Defect{
		"rfc-v2": {
			{Kind: sim.Deadlock, Fix: token.FixMapBeforeTag},
			{Kind: sim.Deadlock, Fix: token.FixFreeRequest}, // a request that was forgotten is in the queue for ever
			{Kind: sim.LostWakeup, Fix: token.FixFreeRequest},
			{Kind: dmabufsim.FenceRule, Fix: token.FixPublishUnderResv},
		},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{})
			page0 := (&hw.Memory{}).Alloc(t.Task, "swapped out", 1)
			t.Go("sysfs", func(t *kernel.Task) {
				w.queue.Freeze(t)
				w.queue.Unfreeze(t)
			})
			t.Go("exporter", func(t *kernel.Task) { w.swapLocked(t, page0) })
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{n: page}) })
			t.Explore()
			w.ref.wroteElse(driveSize/2/sector, page)
			w.teardown(t)
		}
	},
}
