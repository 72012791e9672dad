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
	// Pipelined has the moves copy in a job of their own.
	Pipelined bool
	// Warm has the mapping made before anything else.
	Warm bool
	// Batch is set if completions come in batches.
	Batch bool
	// Submitters are the tasks. Each has a ring of its own, in which the same buffer is
	// registered, and parts of the buffer and of the drive for itself.
	Submitters []Submitter
}

// Submitter is a task that transfers.
type Submitter struct {
	// AtOnce is set if it submits all its transfers before it waits for any. Then each
	// transfer has its own place: transfers that overlap in time and place have no
	// defined result.
	AtOnce    bool
	Transfers []Transfer
}

// Transfer is one read or write of up to two pages.
type Transfer struct {
	Write bool
	// Start is the first sector in the submitter's, or the transfer's, two pages of the
	// buffer, Len the number of sectors; together at most two pages.
	Start, Len int
	// Lba is the first sector on the submitter's, or the transfer's, part of the drive.
	Lba int
}

// most is the number of transfers that a submitter has at most.
const most = 4

// slot is the part of the buffer and of the drive that a transfer can have, in
// sectors.
const slot = 2 * page

// Program makes the program of a workload on a design with further repairs.
func Program(d *Design, on token.Fix, wl Workload) func(*sim.Task) {
	return func(st *sim.Task) {
		c := Case{Design: d, Fixes: on}
		n := len(wl.Submitters)
		t, w := boot(st, c, config{pages: n * most * slot / page, rings: n, tags: wl.Tags, batch: wl.Batch, auditTags: true})
		if wl.Warm {
			w.do(t, transfer{n: page})
		}
		for i, s := range wl.Submitters {
			t.Go(fmt.Sprintf("io_uring-%d", i), func(t *kernel.Task) {
				if s.AtOnce {
					w.doAll(t, s.place(i)...)
					return
				}
				for _, x := range s.place(i) {
					w.do(t, x)
				}
			})
		}
		t.Go("exporter", func(t *kernel.Task) {
			for range wl.Moves {
				if wl.Pipelined {
					w.exp.MovePipelined(t)
				} else {
					w.exp.Move(t)
				}
			}
		})
		t.Explore()
		w.teardown(t)
	}
}

// place gives the transfers of the i-th submitter their places.
func (s Submitter) place(i int) []transfer {
	var out []transfer
	for k, op := range s.Transfers {
		part := i * most
		if s.AtOnce {
			part += k
		}
		out = append(out, transfer{ring: i, write: op.Write, at: part*slot + op.Start, n: op.Len, lba: 2*part*slot + op.Lba})
	}
	return out
}
