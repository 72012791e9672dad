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
	Story: "The drive can only transfer multiples of 1024 bytes to and from memory. A read of 512 bytes must " +
		"fail with -EINVAL, as one into an ordinary buffer does. The posted splitter holds a variable that is " +
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
			t.Go("io_uring", func(t *kernel.Task) { w.refused(t, transfer{n: 1}, kernel.EINVAL) })
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			w.teardown(t)
		}
	},
}
