package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
)

var moveWhileBusy = &Scenario{
	Name: "move-while-busy",
	Story: "The mapping exists when a task writes from the buffer to the drive and reads back into it, while " +
		"the exporter moves the buffer. The move has to wait for what is in flight, what comes later has to make " +
		"a mapping of the new pages, and the data must be right wherever the buffer is.",
	Params: []Param{
		{Name: "moves", Doc: "moves, one after the other", Default: 1, Min: 1, Max: 3, Size: true},
	},
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{})
			w.do(t, transfer{n: page}) // makes the mapping
			t.Go("io_uring", func(t *kernel.Task) {
				// Off the page boundary on both sides, so that both PRPs count.
				w.do(t, transfer{write: true, at: 3, n: page, lba: 57})
				w.do(t, transfer{at: 5, n: page, lba: 60})
			})
			t.Go("exporter", func(t *kernel.Task) {
				for range c.Params["moves"] {
					w.exp.Move(t)
				}
			})
			t.Explore()
			w.teardown(t)
		}
	},
}
