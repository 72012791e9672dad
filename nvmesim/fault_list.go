package nvmesim

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// What says what a drive does with a command instead of executing it.
type What uint8

const (
	// Fail ends it with Status, after Bytes of its data were transferred.
	Fail What = iota
	// Delay has it completed only after After other commands of its queue, or when there is
	// nothing else to complete.
	Delay
	// Hang never completes it, after its data was transferred if Bytes is not 0. An Abort
	// ends it, unless Deaf is set.
	Hang
	// Crash sets the controller's fatal status: nothing more is executed until a reset.
	Crash
	// Unplug takes the drive away, and what it does not answer any more it will never.
	Unplug
)

// Fault is something that goes wrong in the drive, once or several times.
type Fault struct {
	What What
	// Nth is the command it happens to, counted from the fault's injection and from 1; 0:
	// whatever matches.
	Nth int
	// From and To are the blocks that a command has to touch: From <= LBA < To. To 0: any.
	From, To uint64
	// Times is how often it happens, 0 for once, -1 for ever.
	Times int

	Status Status
	Bytes  int
	After  int
	Deaf   bool

	seen, done int
}

// Inject adds faults to what the drive does. The first that matches a command happens to
// it. Abort and the other commands of the driver's own are not counted.
func (c *Controller) Inject(faults ...Fault) {
	for _, f := range faults {
		c.faults = append(c.faults, &f)
	}
}

// fault is what happens to a command, nil for nothing.
func (c *Controller) fault(t *kernel.Task, cmd *Command) *Fault {
	for _, f := range c.faults {
		if f.To != 0 && (cmd.SLBA >= f.To || cmd.SLBA+uint64(cmd.Blocks()) <= f.From) {
			continue
		}
		if f.Times >= 0 || f.Nth > 0 { // whose turn it is depends on the order
			t.Touch(&c.obj, sim.Write)
		}
		if f.seen++; f.Nth > 0 && f.seen != f.Nth {
			continue
		}
		if f.Times >= 0 && f.done >= max(f.Times, 1) {
			continue
		}
		f.done++
		return f
	}
	return nil
}
