package hw

import (
	"fmt"

	"dmasim/sim"
)

// Reason says why an address cannot be accessed.
type Reason uint8

const (
	// Unmapped: the IOMMU has no translation.
	Unmapped Reason = iota
	// Denied: it has one for the other direction only.
	Denied
	// NoMemory: nothing answers at the address; a master abort.
	NoMemory
	// Unsupported: it is memory of a device that this one cannot reach; an unsupported
	// request.
	Unsupported
)

// Fault is an access that did not happen. The device sees an error of the transfer, and
// no more.
type Fault struct {
	Device string
	Addr   BusAddr
	// Len and Dir are those of the segment that was transferred.
	Len    int
	Dir    Direction
	Reason Reason
	// History is what the address was mapped to, the last mapping first.
	History []string

	short string
}

// fault makes the report.
func (u *IOMMU) fault(a BusAddr, length int, dir Direction, why Reason) *Fault {
	f := &Fault{Device: u.device, Addr: a, Len: length, Dir: dir, Reason: why, History: u.History(a)}
	m := u.mapping(a)
	switch {
	case why == NoMemory:
		f.short = "there is no memory"
	case why == Unsupported:
		f.short = "it is memory of another device, which cannot be reached"
	case why == Denied:
		f.short = fmt.Sprintf("it was mapped %s, %s", m.made, m.dir)
	case m == nil:
		f.short = "it was never mapped"
	default:
		f.short = fmt.Sprintf("it was mapped %s and unmapped %s", m.made, m.unmapped)
	}
	return f
}

func (f *Fault) Error() string {
	return fmt.Sprintf("%s: DMA %s of %d bytes at bus address %#x faults; %s", f.Device, f.Dir.verb(), f.Len, uint64(f.Addr), f.short)
}

// Fail ends the run with the fault as its finding.
func (f *Fault) Fail(t *sim.Task) { t.FailWith(IOMMUFault, f.History, "%s", f.Error()) }

// Flag makes the fault a finding of a run that goes on.
func (f *Fault) Flag(t *sim.Task) { t.Flag(IOMMUFault, f.History, "%s", f.Error()) }

// Faults lists what the IOMMU logged: the faults that did not end the run.
func (u *IOMMU) Faults() []*Fault { return u.faults }
