package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var lastTag = &Scenario{
	Name: "last-tag",
	Story: "A drive has one tag, and a task submits two reads before it waits for any: the second one is told that it would block, and its worker " +
		"waits for the tag that the first one has. Somebody freezes the queue meanwhile and an exporter moves the buffer. " +
		"The first read has to complete, and give its tag and its mapping back, whatever the second one waits for.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 1},
	Full:  explore.Coverage{Bound: explore.Delays, N: 3},
	Defects: map[string][]Defect{
		// The request that found no map keeps the tag.
		"rfc-v2": {{Kind: sim.Deadlock, Fix: token.FixFreeRequest}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{tags: 1})
			w.do(t, transfer{n: page}) // makes the mapping
			t.Go("io_uring", func(t *kernel.Task) {
				w.doAll(t, transfer{n: page, lba: page}, transfer{at: page, n: page, lba: 2 * page})
			})
			t.Go("sysfs", func(t *kernel.Task) {
				w.queue.Freeze(t)
				w.queue.Unfreeze(t)
			})
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			w.teardown(t)
		}
	},
}
