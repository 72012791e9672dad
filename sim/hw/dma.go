package hw

import "dmasim/sim"

// Direction says who writes, as enum dma_data_direction does.
type Direction uint8

const (
	Bidirectional Direction = iota
	ToDevice                // the device reads memory
	FromDevice              // the device writes memory
)

func (d Direction) String() string {
	return [...]string{"DMA_BIDIRECTIONAL", "DMA_TO_DEVICE", "DMA_FROM_DEVICE"}[d]
}

// Segment is a range of bus addresses.
type Segment struct {
	Addr BusAddr
	Len  int
}

// Transfer is what a device does on its own: it moves bytes between segments and itself.
type Transfer struct {
	Dir  Direction
	Segs []Segment
	// Data is what FromDevice writes to memory, as long as the segments are. ToDevice uses
	// the room behind Data[:0] for what it reads.
	Data Data
	// Medium is the name of what the device keeps its bytes on, "" if nothing that outlives
	// the transfer, and At is the byte of it where the transfer begins. Only a Backend needs
	// to know.
	Medium string
	At     uint64
}

// DMA lets the device transfer the segments, at any byte addresses, as one operation:
// FromDevice writes data to memory, which is as long as the segments are; ToDevice reads
// memory, and returns what it read. It then uses the room behind data[:0].
//
// It fails the run if an address faults or is stale.
func (u *IOMMU) DMA(t *sim.Task, dir Direction, segs []Segment, data Data) Data {
	d, f := u.dma(t, Transfer{Dir: dir, Segs: segs, Data: data})
	if f != nil {
		f.Fail(t)
	}
	return d
}

// TryDMA is DMA for a caller who deals with faults as a device does: see Transfer.
func (u *IOMMU) TryDMA(t *sim.Task, dir Direction, segs []Segment, data Data) (Data, *Fault) {
	return u.Transfer(t, Transfer{Dir: dir, Segs: segs, Data: data})
}

// Transfer is DMA for a caller who deals with faults as a device does: the transfer ends
// there, with what came before it done, and the IOMMU logs it. That a driver let it come
// to this is a finding all the same, unless the caller says otherwise: see Fault.Flag.
// What is stale fails the run here, too, since no device could tell.
//
// With a Backend that overlaps transfers it is two operations; then whatever is wrong when
// the second one comes is a finding, too.
func (u *IOMMU) Transfer(t *sim.Task, x Transfer) (Data, *Fault) {
	d, f := u.dma(t, x)
	if f != nil {
		u.faults = append(u.faults, f)
	}
	return d, f
}

func (u *IOMMU) dma(t *sim.Task, x Transfer) (Data, *Fault) {
	a := access{u: u, t: t, dir: x.Dir, x: x, whole: true}
	verb := "dma read"
	if x.Dir == FromDevice {
		verb = "dma write"
		if n := x.Data.Len(); n != total(x.Segs) {
			t.Fail(sim.Misuse, "%s: DMA of %d bytes to segments of %d bytes", u.device, n, total(x.Segs))
		}
	}
	t.Step(sim.Op{Verb: verb, Obj: &u.obj, Class: sim.Read})
	f := a.reach()
	if u.Watch != nil && f == nil {
		u.Watch(t, x.Segs)
	}
	if u.real != nil {
		f = a.really(f)
	}
	if x.Dir != FromDevice {
		out := x.Data[:0]
		for _, r := range u.reached {
			out = r.page.contents.Read(out, r.off, r.n)
		}
		return out, f
	}
	src := cursor{d: x.Data}
	for _, r := range u.reached {
		r.page.contents.take(r.off, r.n, &src)
	}
	return x.Data, f
}

// reach finds the parts of pages that the segments lead to, up to a fault.
func (a *access) reach() *Fault {
	u := a.u
	u.reached = u.reached[:0]
	done := 0
	for _, s := range a.x.Segs {
		for at, in := s.Addr, 0; in < s.Len; {
			p, f := a.page(at, s.Len, in, done)
			if f != nil {
				return f
			}
			off := int(at % PageSize)
			n := min(s.Len-in, PageSize-off)
			u.reached = append(u.reached, reached{p, off, n})
			at, in, done = at+BusAddr(n), in+n, done+n
		}
	}
	return nil
}

// total is the length of segments.
func total(segs []Segment) int {
	n := 0
	for _, s := range segs {
		n += s.Len
	}
	return n
}

// ReadWords lets the device read little-endian words that begin at a, a multiple of
// eight: entries of PRP lists and queues, as they are in memory now. It is part of the
// operation that was granted last. At a fault it stops and returns it, see TryDMA.
func (u *IOMMU) ReadWords(t *sim.Task, a BusAddr, words []uint64) *Fault {
	return u.words(t, ToDevice, a, words)
}

// WriteWords lets the device write words, see ReadWords.
func (u *IOMMU) WriteWords(t *sim.Task, a BusAddr, words []uint64) *Fault {
	return u.words(t, FromDevice, a, words)
}

func (u *IOMMU) words(t *sim.Task, dir Direction, at BusAddr, words []uint64) *Fault {
	if at%8 != 0 {
		t.Fail(sim.Misuse, "%s: words at bus address %#x, which is no multiple of 8", u.device, uint64(at))
	}
	t.Touch(&u.obj, sim.Read)
	a := access{u: u, t: t, dir: dir}
	length := 8 * len(words)
	for in := 0; in < length; {
		p, f := a.page(at, length, in, 0)
		if f != nil {
			u.faults = append(u.faults, f)
			return f
		}
		first := int(at%PageSize) / 8
		n := min(len(words), WordsPerPage-first)
		for i := range n {
			if dir == FromDevice {
				p.contents.setWord(first+i, words[i])
				p.follow(8*(first+i), 8)
			} else {
				words[i] = p.contents.word(first + i)
			}
		}
		words = words[n:]
		at, in = at+BusAddr(8*n), in+8*n
	}
	return nil
}

// access is a device's access to memory.
type access struct {
	u   *IOMMU
	t   *sim.Task
	dir Direction
	// x is the transfer, if it is a whole one and not some words; over is set once its
	// real bytes have been moved. It is no pointer, so that nothing has to be allocated.
	x           Transfer
	whole, over bool
	// evicted says that the TLB has nothing that was unmapped, once it was asked.
	asked, evicted bool
}

// lost tells whether the TLB has lost what was unmapped and not flushed.
func (a *access) lost() bool {
	if a.u.cfg.Evicts && !a.asked {
		a.asked, a.evicted = true, a.t.Choose(2, "TLB entry was evicted") == 1
	}
	return a.evicted
}

// page is what an address leads to, in a segment of length bytes of which in were
// transferred, and done of the whole. It declares the access to the page, and fails the run if it is stale.
func (a *access) page(at BusAddr, length, in, done int) (*Page, *Fault) {
	p, m, why := a.translate(at)
	if p == nil {
		return nil, a.u.fault(at, length, a.dir, why)
	}
	class := sim.Read
	if a.dir == FromDevice {
		class = sim.Write
	}
	a.t.Touch(&p.obj, class)
	if m != nil && (m.gen != p.gen || p.fenced) {
		a.fail(p, m, at, min(length-in, PageSize-int(at%PageSize)), done)
	}
	return p, nil
}

// fail fails the run: the access is stale.
func (a *access) fail(p *Page, m *mapping, at BusAddr, n, done int) {
	since := "the mapping was made " + m.made.String()
	var history []string
	if m.state != live {
		since += ", and unmapped " + m.unmapped.String()
	}
	if m.state != live || m.earlier != 0 {
		history = a.u.History(at)
	}
	if u := a.u; u.real != nil && a.whole {
		u.reached = append(u.reached, reached{p, int(at % PageSize), n})
		since += a.evidence(done)
	}
	if m.gen != p.gen {
		a.t.FailWith(StaleDMA, history, "%s %s %d bytes %s page %#x, which belongs to %q now; %s",
			a.u.device, a.dir.did(), n, a.dir.preposition(), p.PFN, p.Owner, since)
	}
	a.t.FailWith(StaleDMA, history, "%s %s %d bytes %s page %#x of %q after the exporter had waited for its fences; %s",
		a.u.device, a.dir.did(), n, a.dir.preposition(), p.PFN, p.Owner, since)
}

// translate finds the page of an address, with the mapping that led to it if there is
// one; or nil and why not.
func (a *access) translate(at BusAddr) (*Page, *mapping, Reason) {
	u := a.u
	m := u.mapping(at)
	if len(u.peers) > 0 {
		if p := u.behindSwitch(at); p != nil {
			return p, m, 0
		}
	}
	var p *Page
	switch {
	case u.cfg.Mode == Passthrough:
		if p = u.cfg.Memory.find(uint64(at / PageSize)); p == nil {
			return nil, nil, NoMemory
		}
	case m == nil, m.state == gone, m.state == stale && a.lost():
		return nil, nil, Unmapped
	case m.dir != Bidirectional && m.dir != a.dir:
		return nil, nil, Denied
	default:
		p = m.page
	}
	if p.Region != nil && u.Peer(p.Region) == PeerNotSupported {
		return nil, nil, Unsupported
	}
	return p, m, 0
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
