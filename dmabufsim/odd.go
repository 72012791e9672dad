package dmabufsim

import (
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// Layout is how the tables of an exporter look.
type Layout struct {
	// Pages says of each page of the buffer whether it is a peer device's; else it is the
	// system's.
	Pages []bool
	// Chunk is how many pages of the system come in a row; 0 is all.
	Chunk int
	// Cuts are the lengths of the segments, in bytes, of any alignment, over and over again. A
	// segment also ends where the bus addresses do not go on. None means that a segment is as
	// long as it can be.
	Cuts []int
	// Holes has the bus addresses of two mappings never be neighbours.
	Holes bool
}

// Odd is a static exporter that hands out tables of an odd shape: all that the interface allows,
// and what it does not forbid.
type Odd struct {
	Buf    *DmaBuf
	Layout Layout

	peer  *hw.Region
	pages []*hw.Page
}

// NewOdd exports a buffer of the layout, filled with contents of its own.
func NewOdd(t *kernel.Task, b *Bus, name string, l Layout) *Odd {
	e := &Odd{Layout: l}
	peers := 0
	for _, p := range l.Pages {
		if p {
			peers++
		}
	}
	was := b.Memory.Chunk
	b.Memory.Chunk = l.Chunk
	ram := b.Memory.Alloc(t.Task, name, len(l.Pages)-peers)
	b.Memory.Chunk = was
	var bar []*hw.Page
	if peers > 0 {
		e.peer = b.Memory.NewBAR(t.Task, name+" peer", peers)
		bar = owned(e.peer.Pages, name)
	}
	for _, p := range l.Pages {
		from := &ram
		if p {
			from = &bar
		}
		e.pages = append(e.pages, (*from)[0])
		*from = (*from)[1:]
	}
	hw.Fill(e.pages, name)
	e.Buf = b.Export(t, name, uint64(len(e.pages))*hw.PageSize, e)
	return e
}

// Peer is the memory of the peer device, nil if there is none.
func (e *Odd) Peer() *hw.Region { return e.peer }

// Backing is where the contents are, for oracles.
func (e *Odd) Backing() []*hw.Page { return e.pages }

// Attach refuses who cannot reach the peer's part.
func (e *Odd) Attach(t *kernel.Task, a *Attachment) kernel.Errno {
	if e.peer != nil && (!a.Peer2Peer || a.Dev.Peer(e.peer) == hw.PeerNotSupported) {
		return kernel.EOPNOTSUPP
	}
	return kernel.OK
}

// MapDmaBuf maps the pages, and cuts what came of it.
func (e *Odd) MapDmaBuf(t *kernel.Task, a *Attachment, dir hw.Direction) (*SgTable, kernel.Errno) {
	sgt := &SgTable{Pages: e.pages, NoPages: e.peer != nil}
	if e.Layout.Holes {
		for i := range e.pages {
			hole := a.Dev.Map(t.Task, e.pages[i:i+1], dir)
			sgt.whole = append(sgt.whole, a.Dev.Map(t.Task, e.pages[i:i+1], dir)...)
			a.Dev.UnmapNoSync(t.Task, hole)
		}
	} else {
		sgt.whole = a.Dev.Map(t.Task, e.pages, dir)
	}
	sgt.Segments = cut(sgt.whole, e.Layout.Cuts)
	return sgt, kernel.OK
}

// cut divides segments into pieces of the given lengths, over and over again.
func cut(whole []hw.Segment, cuts []int) (out []hw.Segment) {
	i := 0
	for _, s := range whole {
		for s.Len > 0 {
			n := s.Len
			if len(cuts) > 0 {
				n = min(n, cuts[i%len(cuts)])
				i++
			}
			out = append(out, hw.Segment{Addr: s.Addr, Len: n})
			s.Addr, s.Len = s.Addr+hw.BusAddr(n), s.Len-n
		}
	}
	return out
}

// UnmapDmaBuf takes the mapping away from the device.
func (e *Odd) UnmapDmaBuf(t *kernel.Task, a *Attachment, sgt *SgTable, dir hw.Direction) {
	a.Dev.UnmapNoSync(t.Task, sgt.whole)
}

// Release gives the pages back.
func (e *Odd) Release(t *kernel.Task) { hw.Give(t.Task, e.pages, "") }
