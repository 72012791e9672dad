package simpath

import (
	"fmt"
	"strings"

	"dmasim/sim"
	"dmasim/sim/kernel"
	"dmasim/token"
	"dmasim/uringsim/workload"
)

// Options say on what a workload runs.
type Options struct {
	Profile kernel.Profile
	// Traits are those of the file and of the buffers; see [Raw] for those of a bare drive.
	Traits workload.Traits
	// MemAlign is the unit of addresses that the disk wants; 0 and 1 are any address.
	MemAlign int64
	// Fragment is the length of the pieces of a file, 0 for one in one piece.
	Fragment int64
	// MayBlock has the file system refuse to transfer without blocking, now and then.
	MayBlock bool
	// NVMe has the drive be an NVMe one, with so many Tags, and not a virtual disk.
	NVMe bool
	Tags int
	// Flags are IORING_SETUP_*.
	Flags uint32
	// Design makes the registered buffers dma-bufs that a driver moves. Fixes are the repairs
	// that are on.
	Design token.Design
	Fixes  token.Fix
	Moves  []Move
}

// Move is one of a buffer, at some time after the program has made so many calls.
type Move struct {
	Buf, After int
	Pipelined  bool
}

// Raw are the traits of a block device, opened with O_DIRECT.
func Raw() workload.Traits {
	return workload.Traits{Direct: true, Block: 512, Mem: 512, Strict: true, DmaBufs: true, Page: 4096}
}

// Run executes a workload once, under the strategy. The error is a failure of the run, or that
// the workload is not valid.
func Run(m *sim.Machine, s sim.Strategy, w *workload.Workload, o Options) (*workload.Outcome, error) {
	var out *workload.Outcome
	var err error
	r := m.Run(s, func(st *sim.Task) { program(st, w, &o, &out, &err) })
	s.Done(r)
	if r.Failure != nil {
		return nil, fmt.Errorf("%w\n%s\nschedule: %s", r.Failure, strings.Join(r.Failure.Detail, "\n"), r.Schedule())
	}
	return out, err
}

func program(st *sim.Task, w *workload.Workload, o *Options, out **workload.Outcome, failed *error) {
	t := kernel.Boot(st)
	t.K.Profile = o.Profile
	token.Repair(t, o.Fixes)
	m := newMachine(t, w, o)
	t.Go("user", func(t *kernel.Task) {
		m.t = t
		*out, *failed = workload.Run(m, w)
		m.close(t)
	})
	m.move(t)
	t.Explore()
	m.teardown(t)
}
