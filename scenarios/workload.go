package scenarios

import (
	"fmt"

	"dmasim/sim"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// Workload is a program that is drawn, not named: tasks that transfer, and an exporter
// that moves.
type Workload struct {
	// Tags of the drive.
	Tags int
	// Moves of the buffer, one after the other.
	Moves int
	// Warm has the mapping made before anything else.
	Warm bool
	// Submitters has the transfers of each task, which it does one after the other. Each has
	// a ring of its own, in which the same buffer is registered, and two pages of the
	// buffer and a part of the drive for itself.
	Submitters [][]Transfer
}

// Transfer is one read or write of one or two pages.
type Transfer struct {
	Write bool
	Pages int
	// Lba is the first page on the submitter's part of the drive.
	Lba int
}

// pagesEach is the part of the buffer that a submitter has.
const pagesEach = 2

// lbasEach is the part of the drive that a submitter has, in pages.
const lbasEach = 16

// Program makes the program of a workload on a design with further repairs.
func Program(d *Design, on token.Fix, wl Workload) func(*sim.Task) {
	return func(st *sim.Task) {
		c := Case{Design: d, Fixes: on}
		n := len(wl.Submitters)
		t, w := boot(st, c, config{pages: pagesEach * n, rings: n, tags: wl.Tags, auditTags: true})
		if wl.Warm {
			w.do(t, transfer{n: 1})
		}
		for i, ops := range wl.Submitters {
			t.Go(fmt.Sprintf("io_uring-%d", i), func(t *kernel.Task) {
				for _, op := range ops {
					w.do(t, transfer{ring: i, write: op.Write, at: i * pagesEach, n: op.Pages, lba: i*lbasEach + op.Lba})
				}
			})
		}
		t.Go("exporter", func(t *kernel.Task) {
			for range wl.Moves {
				w.exp.Move(t)
			}
		})
		t.Explore()
		w.teardown(t)
	}
}
