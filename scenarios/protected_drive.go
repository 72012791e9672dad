package scenarios

import (
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var protectedDrive = &Scenario{
	Name: "protected-drive",
	Story: "The drive is formatted with protection information, and the block layer makes a checksum of every block that is written, and " +
		"checks those of a read. For that it walks the vectors of the bio. The posted design has a token where they would be, and the " +
		"walk takes it for vectors. The CPU need not see the data: a drive that is given no checksums makes and checks them itself. " +
		"It needs no race: an exporter moves the buffer meanwhile.",
	Params: []Param{{Name: "write", Doc: "whether the drive is written to, or read", Default: 1, Max: 1}},
	Quick:  explore.Coverage{Bound: explore.Delays, N: 2},
	Full:   explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: sim.Bug, Fix: token.FixSkipIntegrity}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{})
			w.do(t, transfer{n: page}) // makes the mapping
			w.queue.Integrity = true
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{write: c.Params["write"] == 1, at: 1, n: page, lba: page}) })
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			w.teardown(t)
		}
	},
}
