package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
)

var invalidatedRepeatedly = &Scenario{
	Name: "invalidated-repeatedly",
	Story: "The exporter calls move_notify and moves nothing, twice under one lock and, if asked, again after it has let go of " +
		"the lock, while a task reads through a mapping that exists. Each call must find the importer in a state that it can deal " +
		"with: with a mapping, without one, with one that is being drained, or with a new one.",
	Params: []Param{
		{Name: "again", Doc: "calls after the first two", Default: 0, Min: 0, Max: 3, Size: true},
	},
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{})
			w.do(t, transfer{n: page}) // makes the mapping
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{at: page, n: page, lba: page}) })
			t.Go("exporter", func(t *kernel.Task) {
				invalidate := func(n int) {
					w.exp.Buf.Resv.Lock(t, nil)
					for range n {
						t.Say("", "dma_buf_move_notify()")
						w.exp.Buf.MoveNotify(t)
					}
					w.exp.Buf.Resv.Unlock(t)
				}
				invalidate(2)
				for range c.Params["again"] {
					invalidate(1)
				}
			})
			t.Explore()
			w.teardown(t)
		}
	},
}
