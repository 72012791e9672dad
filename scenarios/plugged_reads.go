package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
	"dmasim/uringsim"
)

var pluggedReads = &Scenario{
	Name: "plugged-reads",
	Story: "A task submits three reads in one call. Requests for all are allocated at once, and stay in the task's plug, with the mapping, until " +
		"the call is over or the task sleeps. An exporter moves the buffer meanwhile, and waits for all three.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 1},
	Full:  explore.Coverage{Bound: explore.Delays, N: 3},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{})
			w.do(t, transfer{n: page}) // makes the mapping
			r := uringsim.NewRing(t, 1)
			r.RegisterDmaBuf(t, 0, w.file, w.exp.Buf)
			w.rings = append(w.rings, r)
			xs := []transfer{{ring: 1, n: page, lba: page}, {ring: 1, at: page, n: 1, lba: 2 * page}, {ring: 1, at: page + 1, n: 1, lba: 3 * page}}
			w.do(t, transfer{ring: 1, n: page})
			t.Go("io_uring", func(t *kernel.Task) { w.doTogether(t, xs...) })
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			w.teardown(t)
		}
	},
}
