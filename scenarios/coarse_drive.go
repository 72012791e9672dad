package scenarios

import (
	"dmasim/blkmq"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var coarseDrive = &Scenario{
	Name: "coarse-drive",
	Story: "The drive can only transfer multiples of 1024 bytes to and from memory. A task reads a page, and 512 bytes " +
		"while that is in flight, which must fail with -EINVAL, as it does into an ordinary buffer. The posted splitter holds a variable that is " +
		"still 0 against the mask instead of the length, and the drive is sent a command that it cannot do. " +
		"An exporter moves the buffer meanwhile.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: blkmq.OverLimits, Fix: token.FixCheckLength}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{limits: func(l *blkmq.Limits) { l.DmaAlignment = 1023 }})
			w.do(t, transfer{n: page}) // makes the mapping
			w.align = 1024
			t.Go("io_uring", func(t *kernel.Task) { w.doAll(t, transfer{at: page, n: page, lba: page}, transfer{n: 1}) })
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			w.teardown(t)
		}
	},
}
