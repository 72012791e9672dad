package scenarios

import (
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var cachedTogether = &Scenario{
	Name: "cached-together",
	Story: "A file is registered with O_DIRECT in two rings, one of which has a mapping. Two tasks change that flag with fcntl() and read the " +
		"same page, a ring each: one sets it, the other takes it away. A direct read looks into the page cache for what has to be written " +
		"first, a buffered one looks for the page there, fills it, or waits for who does. What is read through the cache does not come to " +
		"the buffer, and is said to have come. It must fail instead.",
	Quick:  explore.Coverage{Bound: explore.Delays, N: 3},
	Full:   explore.Coverage{Bound: explore.All},
	FullOf: map[string]explore.Coverage{"toy": {Bound: explore.Delays, N: 4}},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: hw.DataCorruption, Fix: token.FixRefuseBuffered}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{rings: 2})
			w.file.Flags &^= iter.O_DIRECT
			w.readAhead(t, 3)
			w.file.Flags |= iter.O_DIRECT
			w.file.WillChange(t)
			w.do(t, transfer{n: page}) // makes the mapping
			for n := range w.rings {
				t.Go("io_uring", func(t *kernel.Task) {
					if n == 0 {
						w.file.SetFlags(t, w.file.Flags|iter.O_DIRECT)
					} else {
						w.file.SetFlags(t, w.file.Flags&^iter.O_DIRECT)
					}
					x := transfer{ring: n, at: n * page, n: page}
					w.submit(t, x)
					if e := w.rings[n].WaitCQE(t); e.Res < 0 {
						w.failed(t, e, kernel.EINVAL)
					} else {
						w.expect(t, x, e)
					}
				})
			}
			t.Explore()
			w.teardown(t)
		}
	},
}
