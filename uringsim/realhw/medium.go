//go:build linux

package realhw

import (
	"fmt"
	"math/bits"

	"golang.org/x/sys/unix"

	"dmasim/sim/hw"
)

// A medium is kept in chunks, which have their place in the store from when they are first
// needed.
const (
	chunkSize = 64 << 10
	storeSize = 8 << 20
	// chunksKept is how many a run may leave for the next one.
	chunksKept = storeSize / chunkSize / 2
)

type medium struct {
	name   string
	chunks map[uint64]*chunk // by number
}

type chunk struct {
	number uint64
	at     int64 // in the store
	// dirty has the sectors that this run has written.
	dirty [chunkSize / hw.SectorSize / 64]uint64
}

// stretch is a part of a medium that is in one piece in the store.
type stretch struct {
	*chunk
	off, n int // in the chunk
}

// place is where n bytes of a medium are, from at on.
func (s *session) place(name string, at uint64, n int) []stretch {
	if s.err != nil {
		return nil
	}
	m := s.media[name]
	if m == nil {
		m = &medium{name, map[uint64]*chunk{}}
		s.media[name] = m
	}
	var out []stretch
	for n > 0 {
		c := m.chunks[at/chunkSize]
		if c == nil {
			if c = s.newChunk(m, at/chunkSize); c == nil {
				return nil
			}
		}
		off := int(at % chunkSize)
		k := min(n, chunkSize-off)
		out = append(out, stretch{c, off, k})
		at, n = at+uint64(k), n-k
	}
	return out
}

// newChunk takes a place in the store and fills it with what nobody wrote.
func (s *session) newChunk(m *medium, number uint64) *chunk {
	if s.chunks == storeSize/chunkSize {
		s.fail(fmt.Errorf("a run touches more than %d MiB of its drives", storeSize>>20))
		return nil
	}
	c := &chunk{number: number, at: int64(s.chunks) * chunkSize}
	s.chunks++
	m.chunks[number] = c
	s.pristine(m, c, 0, chunkSize)
	return c
}

// pristine writes a part of a chunk as it is at first.
func (s *session) pristine(m *medium, c *chunk, off, n int) {
	data := hw.Data{{Source: m.name, Byte: c.number*chunkSize + uint64(off), Len: uint32(n)}}
	if b := s.aligned(n); b != nil {
		s.patterns.render(b[:0], data)
		s.write(c.at+int64(off), b)
	}
}

// restore makes the media what they are at first.
func (s *session) restore() {
	for _, m := range s.media {
		for _, c := range m.chunks {
			if c.dirty == [len(c.dirty)]uint64{} {
				continue
			}
			// From the first block that was written to the last: one write costs more than
			// some blocks.
			first, last := -1, 0
			for i, w := range c.dirty {
				if w == 0 {
					continue
				}
				if first < 0 {
					first = 64*i + bits.TrailingZeros64(w)
				}
				last = 64*i + bits.Len64(w)
			}
			per := max(1, int(s.store.Block)/hw.SectorSize)
			first, last = first/per*per, (last+per-1)/per*per
			s.pristine(m, c, first*hw.SectorSize, (last-first)*hw.SectorSize)
			c.dirty = [len(c.dirty)]uint64{}
		}
	}
}

// forget gives all of the store back.
func (s *session) forget() {
	clear(s.media)
	s.chunks = 0
}

// wrote notes a part that is not what it was at first any more.
func (c *chunk) wrote(off, n int) {
	for i := off / hw.SectorSize; i*hw.SectorSize < off+n; i++ {
		c.dirty[i/64] |= 1 << (i % 64)
	}
}

// StoreMedium is what a drive writes by itself.
func (s *session) StoreMedium(name string, at uint64, data hw.Data) {
	for _, c := range s.place(name, at, data.Len()) {
		p := s.around(c)
		if b := s.aligned(p.len); b != nil {
			s.read(p.off, b)
			s.patterns.render(b[p.skip:p.skip], data.Slice(int(c.number*chunkSize+uint64(c.off)-at), p.n))
			s.write(p.off, b)
			c.wrote(c.off, c.n)
		}
	}
}

// LookMedium reads the store and compares.
func (s *session) LookMedium(name string, at uint64, want hw.Data) hw.Data {
	s.moved.Looks++
	var got []byte
	for _, c := range s.place(name, at, want.Len()) {
		p := s.around(c)
		if b := s.aligned(p.len); b != nil {
			s.read(p.off, b)
			got = append(got, b[p.skip:][:p.n]...)
		}
	}
	return s.found(got, want)
}

// aligned is memory for direct I/O, to be used at once.
func (s *session) aligned(n int) []byte {
	if s.bounce == nil || len(s.bounce.IO.Bytes) < n {
		b := s.newBuffer((n + chunkSize - 1) / chunkSize * (chunkSize / hw.PageSize))
		if b == nil {
			return nil
		}
		s.bounce = b
	}
	return s.bounce.IO.Bytes[:n]
}

func (s *session) read(at int64, b []byte) {
	if s.err != nil {
		return
	}
	if n, err := unix.Pread(s.store.Fd(), b, at); err != nil || n != len(b) {
		s.fail(fmt.Errorf("reading %d bytes at %d of the store: %d came, error %v", len(b), at, n, err))
	}
}

func (s *session) write(at int64, b []byte) {
	if s.err != nil {
		return
	}
	if n, err := unix.Pwrite(s.store.Fd(), b, at); err != nil || n != len(b) {
		s.fail(fmt.Errorf("writing %d bytes at %d of the store: %d went, error %v", len(b), at, n, err))
	}
}
