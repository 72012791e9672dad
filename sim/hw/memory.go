package hw

import (
	"fmt"
	"strconv"

	"dmasim/sim"
)

// PageSize is the size of a page, in bytes.
const PageSize = 4096

// SectorsPerPage is the number of stamps that a page has.
const SectorsPerPage = PageSize / SectorSize

// firstPFN is where page frames begin; the value has no meaning.
const firstPFN = 0x2a0

// Page is one page frame.
type Page struct {
	PFN uint64
	// Owner is who the page belongs to: the name of a buffer, or of somebody else.
	Owner string

	obj     sim.Object
	gen     uint32
	fenced  bool
	sectors [SectorsPerPage]Stamp
}

// Memory is the system's RAM.
type Memory struct {
	pages []*Page
}

// Alloc takes n free pages for owner, with zeroes in them.
func (m *Memory) Alloc(t *sim.Task, owner string, n int) []*Page {
	out := make([]*Page, n)
	for i := range out {
		p := &Page{PFN: firstPFN + uint64(len(m.pages)), Owner: owner}
		t.Own(&p.obj, "page", "page 0x"+strconv.FormatUint(p.PFN, 16))
		m.pages = append(m.pages, p)
		out[i] = p
	}
	return out
}

// Fill gives every sector of the pages a stamp of the source, numbered from 0.
func Fill(pages []*Page, source string) {
	for i, p := range pages {
		for j := range p.sectors {
			p.sectors[j] = Stamp{source, uint64(i*SectorsPerPage + j), 0}
		}
	}
}

// Sector reads a sector of a range of pages, outside the run.
func Sector(pages []*Page, i int) Stamp { return pages[i/SectorsPerPage].sectors[i%SectorsPerPage] }

// SetSector writes a sector of a range of pages, outside the run.
func SetSector(pages []*Page, i int, s Stamp) {
	pages[i/SectorsPerPage].sectors[i%SectorsPerPage] = s
}

// Fence marks pages whose owner has finished waiting for the devices that use them:
// any DMA from here on is stale, although the pages have not changed hands yet. It
// is part of the operation that was granted last.
func Fence(t *sim.Task, pages []*Page) {
	for _, p := range pages {
		p.fenced = true
		t.Touch(&p.obj, sim.Write)
	}
}

// Copy copies contents from one range of pages to another, as one operation.
func Copy(t *sim.Task, to, from []*Page) {
	t.Step(sim.Op{Verb: "copy", Obj: &from[0].obj, Class: sim.Read})
	for i := range from {
		if i > 0 {
			t.Touch(&from[i].obj, sim.Read)
		}
		t.Touch(&to[i].obj, sim.Write)
		to[i].sectors = from[i].sectors
	}
}

// Give hands pages to another owner, who fills them with data of its own, as one
// operation. An owner of "" means that they are free.
func Give(t *sim.Task, pages []*Page, owner string) {
	if len(pages) == 0 {
		return
	}
	t.Step(sim.Op{Verb: "give pages", Obj: &pages[0].obj})
	for i, p := range pages {
		if i > 0 {
			t.Touch(&p.obj, sim.Write)
		}
		p.Owner, p.fenced = owner, false
		p.gen++
	}
	Fill(pages, owner)
}

// Owned lists the pages that belong to owner, for auditors.
func (m *Memory) Owned(owner string) []*Page {
	var out []*Page
	for _, p := range m.pages {
		if p.Owner == owner {
			out = append(out, p)
		}
	}
	return out
}

// Span names a range of pages for people: "0x2a0..0x2a1".
func Span(pages []*Page) string {
	switch len(pages) {
	case 0:
		return "no pages"
	case 1:
		return fmt.Sprintf("%#x", pages[0].PFN)
	}
	return fmt.Sprintf("%#x..%#x", pages[0].PFN, pages[len(pages)-1].PFN)
}
