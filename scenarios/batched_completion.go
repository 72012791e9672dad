package scenarios

import (
	"dmasim/nvmesim"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var batchedCompletion = &Scenario{
	Name: "batched-completion",
	Story: "The drive has several hardware queues and no scheduler, so completions are collected in batches, also when " +
		"there is only one. The mapping exists when a task reads. The posted design drops a request's map reference only " +
		"where requests are freed singly; an exporter that moves the buffer waits for ever, with the reservation lock held.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		// The exporter waits for a fence that nobody will signal; whoever comes late to the
		// reservation lock waits behind it.
		"rfc-v2": {
			{Kind: sim.LostWakeup, Fix: token.FixFreeInBatch},
			{Kind: sim.Deadlock, Fix: token.FixFreeInBatch},
		},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{batch: true, drive: nvmesim.Config{Queues: 2}})
			w.do(t, transfer{n: page}) // makes the mapping
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{n: page, lba: page}) })
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			w.teardown(t)
		}
	},
}
