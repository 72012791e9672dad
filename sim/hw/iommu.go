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

// firstBus is where the bus addresses of an IOMMU begin.
const firstBus BusAddr = 0xfe00_0000

// Mode is the type of the IOMMU's domain.
type Mode uint8

const (
	// Strict (IOMMU_DOMAIN_DMA): an unmap takes effect before it returns.
	Strict Mode = iota
	// Lazy (IOMMU_DOMAIN_DMA_FQ): after an unmap the TLB goes on translating until it is
	// flushed.
	Lazy
	// Passthrough (IOMMU_DOMAIN_IDENTITY, or no IOMMU at all): bus addresses are physical
	// ones, and all memory can be reached at any time.
	Passthrough
)

// Config says what stands between a device and memory. The zero value is a strict
// IOMMU that never uses an address twice.
type Config struct {
	Mode Mode
	// Reuse makes an address range that was given back the first to be handed out again,
	// as the kernel's allocator does; else none is ever used twice.
	Reuse bool
	// Bounce copies through slots of RAM, as swiotlb does: see SyncForDevice. It stands
	// for caches that are not coherent, too.
	Bounce bool
	// Memory is where slots come from, and what passthrough reaches: needed for these.
	Memory *Memory

	// QueueLimit is how many ranges may wait for a flush in lazy mode; 0 means 256.
	QueueLimit int
	// FlushAfter is when a timer flushes what waits, in nanoseconds; 0 means 10 ms.
	FlushAfter int64
	// Timer says whether that timer races.
	Timer sim.TimerMode
	// Evicts leaves it to the strategy whether the TLB still has what was unmapped and
	// not flushed, once for each transfer. Else it has all that was ever mapped, the
	// worst that hardware may do: entries can be fetched ahead of any use.
	Evicts bool
}

// What Linux has for a flush queue (drivers/iommu/dma-iommu.c).
const (
	queueLimit = 256
	flushAfter = 10_000_000
)

// IOMMU is what stands between one device and memory.
type IOMMU struct {
	device string
	cfg    Config
	obj    sim.Object
	peers  []peer

	// records are all mappings of a page that were ever made. latest is the last one at
	// an address, as its index plus one: in taken for addresses of the IOMMU's own, in
	// order, and in other for bus addresses that are physical ones.
	records []mapping
	taken   []int32
	other   map[BusAddr]int32
	spare   map[int][]BusAddr // ranges to be used again, by their number of pages

	queue   []Segment // ranges that were unmapped and not flushed
	ticking bool      // a timer will flush them

	faults []*Fault

	// Watch, if not nil, is told of each transfer that reaches what it should, before it is done
	// and as part of it.
	Watch func(t *sim.Task, segs []Segment)

	real    Backend // nil if there are no real bytes
	reached []reached
}

// reached is a part of a page that a transfer reaches. The room for them is used again.
type reached struct {
	page   *Page
	off, n int
}

// mapping is one page that was made reachable at an address.
type mapping struct {
	page *Page // that the device reaches
	gen  uint32
	// home is the page that page is a slot for, if contents are bounced.
	home    *Page
	homeGen uint32

	dir                     Direction
	state                   state
	made, unmapped, flushed sim.Place
	earlier                 int32 // mapping at the same address, as index plus one
}

// state says what an address does.
type state uint8

const (
	live  state = iota
	stale       // unmapped, and not flushed
	gone
)

// NewIOMMU returns the translation for the device of that name.
func NewIOMMU(t *sim.Task, device string) *IOMMU {
	u := &IOMMU{device: device, real: BackendOf(t)}
	t.Own(&u.obj, "iommu", device+" iommu")
	return u
}

// Configure makes it another kind of IOMMU, before anything is mapped.
func (u *IOMMU) Configure(t *sim.Task, c Config) {
	if len(u.records) > 0 {
		t.Fail(sim.Misuse, "the IOMMU of %s is configured after something was mapped", u.device)
	}
	if c.Memory == nil && (c.Bounce || c.Mode == Passthrough) {
		t.Fail(sim.Misuse, "the IOMMU of %s needs to know the memory", u.device)
	}
	if c.QueueLimit == 0 {
		c.QueueLimit = queueLimit
	}
	if c.FlushAfter == 0 {
		c.FlushAfter = flushAfter
	}
	u.cfg = c
}

// Map is dma_map_sgtable: it makes the pages reachable for transfers of a direction, and
// returns the bus addresses in order, neighbours as one segment. Pages of RAM are one
// segment for an IOMMU, however they lie; where bus addresses are physical ones, pages
// that lie in a row are.
//
// It is part of the operation that was granted last: nobody can know the addresses yet.
func (u *IOMMU) Map(t *sim.Task, pages []*Page, dir Direction) []Segment {
	return u.mapPages(t, pages, dir, u.cfg.Bounce)
}

// MapCoherent is Map for memory that driver and device use at the same time, such as
// queues and descriptors, as dma_alloc_coherent gives it: it is never bounced.
func (u *IOMMU) MapCoherent(t *sim.Task, pages []*Page) []Segment {
	return u.mapPages(t, pages, Bidirectional, false)
}

func (u *IOMMU) mapPages(t *sim.Task, pages []*Page, dir Direction, bounce bool) []Segment {
	segs := make([]Segment, 0, 1)
	for len(pages) > 0 {
		n := 1
		direct := u.direct(pages[0])
		for n < len(pages) && u.direct(pages[n]) == direct && (!direct || pages[n].PFN == pages[0].PFN+uint64(n)) {
			n++
		}
		slots := pages[:n]
		if bounce && pages[0].Region == nil { // device memory is never bounced
			slots = u.slots(t, pages[:n])
		}
		base := BusAddr(slots[0].Phys())
		if !direct {
			base = u.take(n)
		}
		for i, s := range slots {
			m := mapping{page: s, gen: s.gen, dir: dir, made: t.Place()}
			t.Touch(&pages[i].obj, sim.Read)
			if s != pages[i] {
				m.home, m.homeGen = pages[i], pages[i].gen
			}
			u.record(t, base+BusAddr(i)*PageSize, m)
		}
		segs = append(segs, Segment{base, n * PageSize})
		pages = pages[n:]
	}
	return segs
}

// direct tells whether the bus address of a page is its physical address.
func (u *IOMMU) direct(p *Page) bool {
	return u.cfg.Mode == Passthrough || p.Region != nil && u.Peer(p.Region) == PeerBusAddr
}

// take is a range of addresses for n pages.
func (u *IOMMU) take(n int) BusAddr {
	if s := u.spare[n]; len(s) > 0 {
		u.spare[n] = s[:len(s)-1]
		return s[len(s)-1]
	}
	base := firstBus + BusAddr(len(u.taken))*PageSize
	for range n {
		u.taken = append(u.taken, 0)
	}
	return base
}

// release gives a range of addresses back.
func (u *IOMMU) release(s Segment) {
	if u.cfg.Reuse && u.own(s.Addr) {
		if u.spare == nil {
			u.spare = map[int][]BusAddr{}
		}
		n := s.Len / PageSize
		u.spare[n] = append(u.spare[n], s.Addr)
	}
}

// own tells whether a is an address that the IOMMU has handed out.
func (u *IOMMU) own(a BusAddr) bool {
	return a >= firstBus && int((a-firstBus)/PageSize) < len(u.taken) && u.cfg.Mode != Passthrough
}

// record notes a mapping at an address.
func (u *IOMMU) record(t *sim.Task, a BusAddr, m mapping) {
	m.earlier = u.last(a)
	if m.earlier != 0 || !u.own(a) { // somebody may know the address already
		t.Touch(&u.obj, sim.Write)
	}
	u.records = append(u.records, m)
	n := int32(len(u.records))
	if u.own(a) {
		u.taken[(a-firstBus)/PageSize] = n
		return
	}
	if u.other == nil {
		u.other = map[BusAddr]int32{}
	}
	u.other[a-a%PageSize] = n
}

// last is the last mapping at an address, as index plus one; 0 for none.
func (u *IOMMU) last(a BusAddr) int32 {
	if u.own(a) {
		return u.taken[(a-firstBus)/PageSize]
	}
	return u.other[a-a%PageSize]
}

// mapping is the last one at an address, nil for none. Where several are live, it is the
// one that knows the page's latest owner.
func (u *IOMMU) mapping(a BusAddr) *mapping {
	if n := u.last(a); n != 0 {
		return &u.records[n-1]
	}
	return nil
}

// Unmap is dma_unmap_sgtable: it takes whole pages away from the device, as one
// operation, and copies back what was bounced and may have been written. Unmapping what
// is not mapped is misuse.
func (u *IOMMU) Unmap(t *sim.Task, segs []Segment) { u.unmapAll(t, segs, true) }

// UnmapNoSync is Unmap with DMA_ATTR_SKIP_CPU_SYNC: nothing is copied back.
func (u *IOMMU) UnmapNoSync(t *sim.Task, segs []Segment) { u.unmapAll(t, segs, false) }

func (u *IOMMU) unmapAll(t *sim.Task, segs []Segment, sync bool) {
	t.Step(sim.Op{Verb: "iommu unmap", Obj: &u.obj})
	for _, s := range segs {
		if u.cfg.Mode == Lazy && u.own(s.Addr) {
			if len(u.queue) >= u.cfg.QueueLimit {
				u.flush(t)
			}
			u.queue = append(u.queue, s)
			u.tick(t)
		} else {
			u.release(s)
		}
		for off := 0; off < s.Len; off += PageSize {
			u.unmap(t, s.Addr+BusAddr(off), sync)
		}
	}
}

func (u *IOMMU) unmap(t *sim.Task, a BusAddr, sync bool) {
	m := u.mapped(a)
	if m == nil {
		t.FailWith(sim.Misuse, u.History(a), "unmap of bus address %#x of %s, which is not mapped", uint64(a), u.device)
	}
	m.state, m.unmapped = gone, t.Place()
	if u.cfg.Mode == Lazy && u.own(a) {
		m.state = stale
	}
	if m.home != nil {
		if sync {
			u.bounce(t, m, FromDevice, m.dir, 0, PageSize)
		}
		t.Touch(&m.page.obj, sim.Write)
		m.page.give("")
	}
}

// mapped is the last mapping at an address that was not unmapped, nil for none.
func (u *IOMMU) mapped(a BusAddr) *mapping {
	for i := u.last(a); i != 0; i = u.records[i-1].earlier {
		if m := &u.records[i-1]; m.state == live {
			return m
		}
	}
	return nil
}

// tick sets the timer that flushes the queue.
func (u *IOMMU) tick(t *sim.Task) {
	if u.ticking {
		return
	}
	u.ticking = true
	t.After(u.cfg.FlushAfter, u.cfg.Timer, "iommu flush", func(t *sim.Task) {
		t.Touch(&u.obj, sim.Write)
		u.ticking = false
		u.flush(t)
	})
}

// Flush makes the TLB forget everything that was unmapped, as one operation.
func (u *IOMMU) Flush(t *sim.Task) {
	t.Step(sim.Op{Verb: "iommu flush", Obj: &u.obj})
	u.flush(t)
}

func (u *IOMMU) flush(t *sim.Task) {
	for _, s := range u.queue {
		for off := 0; off < s.Len; off += PageSize {
			for i := u.last(s.Addr + BusAddr(off)); i != 0; i = u.records[i-1].earlier {
				if m := &u.records[i-1]; m.state == stale {
					m.state, m.flushed = gone, t.Place()
				}
			}
		}
		u.release(s)
	}
	u.queue = u.queue[:0]
}

// Mapped counts the pages that are mapped, for auditors.
func (u *IOMMU) Mapped() int {
	n := 0
	for i := range u.records {
		if u.records[i].state == live {
			n++
		}
	}
	return n
}

// Describe says for a trace which page is behind an address: " (page 0x2a0)".
func (u *IOMMU) Describe(a BusAddr) string {
	if m := u.mapping(a); m != nil {
		return fmt.Sprintf(" (page %#x)", m.page.PFN)
	}
	return ""
}

// History tells all mappings that an address ever had, the last one first.
func (u *IOMMU) History(a BusAddr) []string {
	var out []string
	for i := u.last(a); i != 0; i = u.records[i-1].earlier {
		m := &u.records[i-1]
		s := fmt.Sprintf("bus address %#x: mapped %s to page %#x, generation %d", uint64(a-a%PageSize), m.made, m.page.PFN, m.gen)
		if m.home != nil {
			s += fmt.Sprintf(", a slot for page %#x, generation %d", m.home.PFN, m.homeGen)
		}
		s += ", " + m.dir.String()
		if m.state != live {
			s += fmt.Sprintf("; unmapped %s", m.unmapped)
		}
		switch {
		case m.state == stale:
			s += "; not flushed"
		case m.flushed.Task != nil:
			s += fmt.Sprintf("; flushed %s", m.flushed)
		}
		if m.gen != m.page.gen {
			s += fmt.Sprintf("; the page is %q now, generation %d", m.page.Owner, m.page.gen)
		}
		out = append(out, s)
	}
	return out
}
