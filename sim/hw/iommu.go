package hw

import (
	"fmt"

	"dmasim/sim"
)

// BusAddr is an address that a device uses.
type BusAddr uint64

// Poison is a bus address at which nothing is ever mapped: what comes of a pointer
// that was taken for something that it is not.
const Poison BusAddr = 0xdead_0000_0000

// firstBus is where bus addresses begin.
const firstBus BusAddr = 0xfe00_0000

// IOMMU translates the bus addresses of one device. Unmapping is strict: it takes
// effect at once.
type IOMMU struct {
	device string
	obj    sim.Object
	// entries are in order of address, one per page, and are kept after the unmap
	// for the history of an address.
	entries []entry
}

type entry struct {
	page     *Page
	gen      uint32
	mapped   bool
	made     sim.Place
	unmapped sim.Place
}

// NewIOMMU returns the translation for the device of that name.
func NewIOMMU(t *sim.Task, device string) *IOMMU {
	u := &IOMMU{device: device}
	t.Own(&u.obj, "iommu", device+" iommu")
	return u
}

// Map makes the pages reachable at consecutive bus addresses that were never used
// before, and returns the first. Nobody can know the addresses yet, so it is not an
// operation of its own.
func (u *IOMMU) Map(t *sim.Task, pages []*Page) BusAddr {
	base := firstBus + BusAddr(len(u.entries))*PageSize
	for _, p := range pages {
		u.entries = append(u.entries, entry{page: p, gen: p.gen, mapped: true, made: t.Place()})
	}
	return base
}

// Unmap takes n pages away from base on. Unmapping what is not mapped is misuse.
func (u *IOMMU) Unmap(t *sim.Task, base BusAddr, n int) {
	t.Step(sim.Op{Verb: "iommu unmap", Obj: &u.obj})
	for i := range n {
		e := u.entry(base + BusAddr(i)*PageSize)
		if e == nil || !e.mapped {
			t.Fail(sim.Misuse, "unmap of bus address %#x of %s, which is not mapped", uint64(base)+uint64(i)*PageSize, u.device)
		}
		e.mapped, e.unmapped = false, t.Place()
	}
}

func (u *IOMMU) entry(a BusAddr) *entry {
	i := (a - firstBus) / PageSize
	if a < firstBus || int(i) >= len(u.entries) {
		return nil
	}
	return &u.entries[i]
}

// Describe says for a trace which page is behind an address: " (page 0x2a0)".
func (u *IOMMU) Describe(a BusAddr) string {
	if e := u.entry(a); e != nil {
		return fmt.Sprintf(" (page %#x)", e.page.PFN)
	}
	return ""
}

// Mapped counts the pages that are mapped, for auditors.
func (u *IOMMU) Mapped() int {
	n := 0
	for i := range u.entries {
		if u.entries[i].mapped {
			n++
		}
	}
	return n
}

// Direction says who writes, as enum dma_data_direction does.
type Direction uint8

const (
	Bidirectional Direction = iota
	ToDevice                // the device reads memory
	FromDevice              // the device writes memory
)

// Segment is a range of bus addresses.
type Segment struct {
	Addr BusAddr
	Len  int
}

// DMA lets the device transfer the segments, as one operation: FromDevice writes
// data to memory, ToDevice reads memory into data. data has one stamp for each
// sector of the segments, which start and end at sectors. It fails the run if an
// address faults or is stale.
func (u *IOMMU) DMA(t *sim.Task, dir Direction, segs []Segment, data []Stamp) {
	verb := "dma read"
	if dir == FromDevice {
		verb = "dma write"
	}
	t.Step(sim.Op{Verb: verb, Obj: &u.obj, Class: sim.Read})
	k := 0
	for _, s := range segs {
		if s.Addr%SectorSize != 0 || s.Len%SectorSize != 0 {
			t.Fail(sim.Misuse, "%s: DMA of %d bytes at bus address %#x: contents are kept by sectors of %d bytes", u.device, s.Len, uint64(s.Addr), SectorSize)
		}
		for off := 0; off < s.Len; off += SectorSize {
			u.sector(t, dir, s.Addr+BusAddr(off), s.Len, off == 0, &data[k])
			k++
		}
	}
}

func (u *IOMMU) sector(t *sim.Task, dir Direction, a BusAddr, length int, first bool, data *Stamp) {
	e := u.entry(a)
	if e == nil || !e.mapped {
		history := "it was never mapped"
		if e != nil {
			history = fmt.Sprintf("it was mapped %s and unmapped %s", e.made, e.unmapped)
		}
		t.Fail(IOMMUFault, "%s: DMA %s of %d bytes at bus address %#x faults; %s", u.device, dir.verb(), length, uint64(a), history)
	}
	p := e.page
	class := sim.Read
	if dir == FromDevice {
		class = sim.Write
	}
	if first || a%PageSize == 0 { // once for each page
		t.Touch(&p.obj, class)
	}
	switch {
	case p.gen != e.gen:
		t.Fail(StaleDMA, "%s %s %d bytes %s page %#x, which belongs to %q now; the mapping was made %s",
			u.device, dir.did(), min(length, PageSize), dir.preposition(), p.PFN, p.Owner, e.made)
	case p.fenced:
		t.Fail(StaleDMA, "%s %s %d bytes %s page %#x of %q after the exporter had waited for its fences; the mapping was made %s",
			u.device, dir.did(), min(length, PageSize), dir.preposition(), p.PFN, p.Owner, e.made)
	}
	i := int(a % PageSize / SectorSize)
	if dir == FromDevice {
		p.sectors[i] = *data
	} else {
		*data = p.sectors[i]
	}
}

func (d Direction) verb() string {
	if d == FromDevice {
		return "write"
	}
	return "read"
}

func (d Direction) did() string {
	if d == FromDevice {
		return "wrote"
	}
	return "read"
}

func (d Direction) preposition() string {
	if d == FromDevice {
		return "to"
	}
	return "from"
}
