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

// DMA lets the device transfer the segments, at any byte addresses, as one operation:
// FromDevice writes data to memory, which is as long as the segments are; ToDevice reads
// memory, and returns what it read. It then uses the room behind data[:0].
//
// It fails the run if an address faults or is stale.
func (u *IOMMU) DMA(t *sim.Task, dir Direction, segs []Segment, data Data) Data {
	d, f := u.dma(t, dir, segs, data)
	if f != nil {
		f.Fail(t)
	}
	return d
}

// TryDMA is DMA for a caller who deals with faults as a device does: the transfer ends
// there, with what came before it done, and the IOMMU logs it. That a driver let it come
// to this is a finding all the same, unless the caller says otherwise: see Fault.Flag.
// What is stale fails the run here, too, since no device could tell.
func (u *IOMMU) TryDMA(t *sim.Task, dir Direction, segs []Segment, data Data) (Data, *Fault) {
	d, f := u.dma(t, dir, segs, data)
	if f != nil {
		u.faults = append(u.faults, f)
	}
	return d, f
}

func (u *IOMMU) dma(t *sim.Task, dir Direction, segs []Segment, data Data) (Data, *Fault) {
	a := access{u: u, t: t, dir: dir}
	verb := "dma read"
	if dir == FromDevice {
		verb = "dma write"
		if n := data.Len(); n != total(segs) {
			t.Fail(sim.Misuse, "%s: DMA of %d bytes to segments of %d bytes", u.device, n, total(segs))
		}
	}
	t.Step(sim.Op{Verb: verb, Obj: &u.obj, Class: sim.Read})
	if dir != FromDevice {
		out := data[:0]
		for _, s := range segs {
			for at, in := s.Addr, 0; in < s.Len; {
				p, f := a.page(at, s.Len, in)
				if f != nil {
					return out, f
				}
				off := int(at % PageSize)
				n := min(s.Len-in, PageSize-off)
				out = p.contents.Read(out, off, n)
				at, in = at+BusAddr(n), in+n
			}
		}
		return out, nil
	}
	src := cursor{d: data}
	for _, s := range segs {
		for at, in := s.Addr, 0; in < s.Len; {
			p, f := a.page(at, s.Len, in)
			if f != nil {
				return data, f
			}
			off := int(at % PageSize)
			n := min(s.Len-in, PageSize-off)
			p.contents.take(off, n, &src)
			at, in = at+BusAddr(n), in+n
		}
	}
	return data, nil
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
		p, f := a.page(at, length, in)
		if f != nil {
			u.faults = append(u.faults, f)
			return f
		}
		first := int(at%PageSize) / 8
		n := min(len(words), WordsPerPage-first)
		for i := range n {
			if dir == FromDevice {
				p.contents.setWord(first+i, words[i])
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

// page is what an address leads to, in a segment of length bytes of which done were
// transferred. It declares the access to the page, and fails the run if it is stale.
func (a *access) page(at BusAddr, length, done int) (*Page, *Fault) {
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
		a.fail(p, m, at, min(length-done, PageSize-int(at%PageSize)))
	}
	return p, nil
}

// fail fails the run: the access is stale.
func (a *access) fail(p *Page, m *mapping, at BusAddr, n int) {
	since := "the mapping was made " + m.made.String()
	var history []string
	if m.state != live {
		since += ", and unmapped " + m.unmapped.String()
	}
	if m.state != live || m.earlier != 0 {
		history = a.u.History(at)
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
