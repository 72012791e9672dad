package scenarios

import (
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var swappedOut = &Scenario{
	Name: "swapped-out",
	Story: "The contents of a buffer are in swap, on the drive that it is registered for or any other, and map_dma_buf reads " +
		"them back. The posted design maps inside of the submission of a bio. What a task submits while it submits is " +
		"put on a list of its own, and issued when the first submission is over; that one waits for map_dma_buf, which " +
		"waits for the contents. It needs no race.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: sim.Deadlock, Fix: token.FixSetBiosAside}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{})
			w.exp.SwapOut(t, w.swapAt(w.queue.Open(iter.O_DIRECT), driveSize/2))
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{n: page}) })
			t.Explore()
			w.teardown(t)
		}
	},
}
