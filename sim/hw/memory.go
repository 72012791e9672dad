package hw

import (
	"fmt"
	"strconv"

	"dmasim/sim"
)

// firstPFN is where page frames begin; the value has no meaning.
const firstPFN = 0x2a0

// Page is one page frame.
type Page struct {
	PFN uint64
	// Owner is who the page belongs to: the name of a buffer, or of somebody else.
	Owner string
	// Region is the device memory that the page is part of, nil for RAM.
	Region *Region
	// Folio is the compound page that the page is part of, nil if it is none.
	Folio *Folio

	obj      sim.Object
	gen      uint32
	fenced   bool
	contents Contents
	real     Backend // nil if there are no real bytes
}

// Folio is a compound page.
type Folio struct {
	// Pages is how many pages it has.
	Pages int
}

// Phys is the physical address of the page.
func (p *Page) Phys() uint64 { return p.PFN * PageSize }

// Memory is all that has a physical address: the system's RAM, and device memory.
type Memory struct {
	// Chunk is how many pages of an allocation come in a row; chunks are not neighbours,
	// and not in order. 0 means all.
	Chunk int

	pages   []*Page
	next    uint64 // page frames from firstPFN on that were taken
	regions uint64
	byPFN   map[uint64]*Page
	real    Backend
}

// Alloc takes n free pages for owner, with zeroes in them.
func (m *Memory) Alloc(t *sim.Task, owner string, n int) []*Page {
	out := m.alloc(t, owner, n)
	m.back(out)
	return out
}

func (m *Memory) alloc(t *sim.Task, owner string, n int) []*Page {
	out := make([]*Page, n)
	if m.Chunk == 0 {
		first := m.take(uint64(n))
		for i := range out {
			out[i] = m.page(t, nil, first+uint64(i), owner)
		}
		return out
	}
	// Even chunks come first, then odd ones, with a free page after each.
	chunks := (n + m.Chunk - 1) / m.Chunk
	stride := uint64(m.Chunk) + 1
	first := m.take(uint64(chunks) * stride)
	for i := range out {
		c := i / m.Chunk
		at := c / 2
		if c%2 == 1 {
			at += (chunks + 1) / 2
		}
		out[i] = m.page(t, nil, first+uint64(at)*stride+uint64(i%m.Chunk), owner)
	}
	return out
}

// take is the first of n page frames in a row that are free.
func (m *Memory) take(n uint64) uint64 {
	first := firstPFN + m.next
	for i := uint64(0); m.byPFN != nil && i < n; i++ { // AllocAt may have been before
		if m.byPFN[first+i] != nil {
			first, i = first+i+1, ^uint64(0)
		}
	}
	m.next = first + n - firstPFN
	return first
}

// AllocAt takes the pages at the given page frames, which must be free.
func (m *Memory) AllocAt(t *sim.Task, owner string, pfns ...uint64) []*Page {
	out := make([]*Page, len(pfns))
	for i, n := range pfns {
		if m.find(n) != nil {
			t.Fail(sim.Misuse, "there is a page %#x already", n)
		}
		out[i] = m.page(t, nil, n, owner)
	}
	m.back(out)
	return out
}

// Table takes n free pages for owner that are to hold descriptors: their contents are
// kept as words, so that these are cheap to read and write.
func (m *Memory) Table(t *sim.Task, owner string, n int) []*Page {
	pages := m.alloc(t, owner, n)
	for _, p := range pages {
		p.contents.words = &table{}
	}
	return pages
}

func (m *Memory) page(t *sim.Task, r *Region, pfn uint64, owner string) *Page {
	p := &Page{PFN: pfn, Owner: owner, Region: r}
	t.Own(&p.obj, "page", "page 0x"+strconv.FormatUint(pfn, 16))
	m.pages = append(m.pages, p)
	if m.byPFN != nil {
		m.byPFN[pfn] = p
	}
	return p
}

// find is the page of a frame, nil if there is no memory.
func (m *Memory) find(pfn uint64) *Page {
	if m.byPFN == nil { // few runs ask
		m.byPFN = make(map[uint64]*Page, len(m.pages))
		for _, p := range m.pages {
			m.byPFN[p.PFN] = p
		}
	}
	return m.byPFN[pfn]
}

// Fill makes the pages hold the bytes of the source from the first one on.
func Fill(pages []*Page, source string) {
	for i, p := range pages {
		p.contents.set(Data{{source, uint64(i) * PageSize, 0, PageSize}})
		p.follow(0, PageSize)
	}
}

// Peek reads n bytes of a range of pages from off on, outside the run.
func Peek(pages []*Page, off, n int) Data {
	return each(pages, off, n, make(Data, 0, 1), func(d Data, p *Page, in, m int) Data {
		if p.real != nil {
			want := p.contents.Read(nil, in, m)
			return d.Append(looked(p.real.Look(p, in, want), want))
		}
		return p.contents.Read(d, in, m)
	})
}

// Poke writes data to a range of pages from off on, outside the run.
func Poke(pages []*Page, off int, data Data) {
	c := cursor{d: data}
	each(pages, off, data.Len(), nil, func(_ Data, p *Page, in, m int) Data {
		p.contents.take(in, m, &c)
		p.follow(in, m)
		return nil
	})
}

// Load is what the CPU reads: n bytes of a range of pages from off on. It is part of
// the operation that was granted last.
func Load(t *sim.Task, pages []*Page, off, n int) Data {
	touch(t, pages, off, n, sim.Read)
	return Peek(pages, off, n)
}

// Store is what the CPU writes, see Load.
func Store(t *sim.Task, pages []*Page, off int, data Data) {
	touch(t, pages, off, data.Len(), sim.Write)
	Poke(pages, off, data)
}

// LoadWord is the i-th word of a range of pages as the CPU reads it, see Load.
func LoadWord(t *sim.Task, pages []*Page, i int) uint64 {
	p := pages[i/WordsPerPage]
	t.Touch(&p.obj, sim.Read)
	return p.contents.word(i % WordsPerPage)
}

// StoreWords is what the CPU writes into a range of pages, from the i-th word on, see
// Load.
func StoreWords(t *sim.Task, pages []*Page, i int, words ...uint64) {
	touch(t, pages, 8*i, 8*len(words), sim.Write)
	for k, w := range words {
		p, in := pages[(i+k)/WordsPerPage], (i+k)%WordsPerPage
		p.contents.setWord(in, w)
		p.follow(8*in, 8)
	}
}

// touch declares an access to the pages of a range of bytes.
func touch(t *sim.Task, pages []*Page, off, n int, c sim.Class) {
	for i := off / PageSize; i*PageSize < off+n; i++ {
		t.Touch(&pages[i].obj, c)
	}
}

// each calls fn for the part of every page that a range of bytes is in.
func each(pages []*Page, off, n int, d Data, fn func(d Data, p *Page, in, n int) Data) Data {
	for n > 0 {
		in := off % PageSize
		m := min(n, PageSize-in)
		d = fn(d, pages[off/PageSize], in, m)
		off += m
		n -= m
	}
	return d
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
		to[i].copyFrom(from[i])
	}
}

// copyFrom copies a page, the real one and the model's.
func (p *Page) copyFrom(from *Page) {
	p.contents = from.contents.Copy()
	p.copied(from, 0, PageSize)
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
		p.give(owner)
	}
	Fill(pages, owner)
}

// give changes the owner and starts another generation.
func (p *Page) give(owner string) {
	p.Owner, p.fenced = owner, false
	p.gen++
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
