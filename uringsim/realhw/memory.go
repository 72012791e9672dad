//go:build linux

package realhw

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"dmasim/dmabufsim/udmabuf"
	"dmasim/internal/uapi"
	"dmasim/sim/hw"
)

// buffer is memory that is a fixed buffer of the ring.
type buffer struct {
	*udmabuf.Buffer
	slot int
}

// frame is where a page is.
type frame struct {
	*buffer
	at int
}

// take is a buffer of so many pages, with anything in it, until the end of the run.
func (s *session) take(pages int) *buffer {
	if s.err != nil {
		return nil
	}
	var b *buffer
	if f := s.free[pages]; len(f) > 0 {
		b, s.free[pages] = f[len(f)-1], f[:len(f)-1]
	} else if b = s.newBuffer(pages); b == nil {
		return nil
	}
	s.taken = append(s.taken, b)
	return b
}

func (s *session) newBuffer(pages int) *buffer {
	if len(s.buffers) == slots {
		s.fail(fmt.Errorf("a run needs more than %d buffers", slots))
		return nil
	}
	mem, err := udmabuf.NewBuffer(s.device, pages*hw.PageSize)
	if err != nil {
		s.fail(err)
		return nil
	}
	b := &buffer{mem, len(s.buffers)}
	s.buffers = append(s.buffers, b)
	_, err = s.ring.UpdateBuffers(b.slot, []uapi.Iovec{{Base: b.IO.Addr(), Len: uint64(len(b.IO.Bytes))}})
	if err != nil {
		s.fail(locked(err))
		return nil
	}
	return b
}

// Alloc gives the pages a buffer of their own.
func (s *session) Alloc(pages []*hw.Page) {
	b := s.take(len(pages))
	if b == nil {
		return
	}
	zeroes := s.room(len(b.IO.Bytes))
	clear(zeroes)
	s.check(b.Write(0, zeroes))
	for i, p := range pages {
		s.frames[p] = frame{b, i * hw.PageSize}
	}
}

// drop gives a buffer back before the end of the run.
func (s *session) drop(b *buffer) {
	if i := slices.Index(s.taken, b); i >= 0 {
		s.taken = slices.Delete(s.taken, i, i+1)
		s.keep(b)
	}
}

// keep has a buffer for who takes one next.
func (s *session) keep(b *buffer) {
	n := len(b.IO.Bytes) / hw.PageSize
	s.free[n] = append(s.free[n], b)
}

// room is n bytes to be used at once.
func (s *session) room(n int) []byte {
	if cap(s.scratch) < n {
		s.scratch = make([]byte, n)
	}
	return s.scratch[:n]
}

// render makes the bytes of data, to be used at once.
func (s *session) render(data hw.Data) []byte {
	s.rendered = s.patterns.render(s.rendered[:0], data)
	return s.rendered
}

// Store writes through the CPU's view.
func (s *session) Store(p *hw.Page, off int, data hw.Data) {
	f, ok := s.frames[p]
	if !ok || s.err != nil {
		return
	}
	s.check(f.Write(f.at+off, s.render(data)))
}

// Copy reads through one CPU's view and writes through the other.
func (s *session) Copy(to, from *hw.Page, off, n int) {
	f, ok := s.frames[from]
	g, also := s.frames[to]
	if !ok || !also || s.err != nil {
		return
	}
	b := s.room(n)
	s.check(f.Read(b, f.at+off))
	s.check(g.Write(g.at+off, b))
}

// Look reads through the CPU's view and compares.
func (s *session) Look(p *hw.Page, off int, want hw.Data) hw.Data {
	f, ok := s.frames[p]
	if !ok || s.err != nil {
		return want
	}
	s.moved.Looks++
	b := s.room(want.Len())
	s.check(f.Read(b, f.at+off))
	return s.found(b, want)
}

// found is want if the bytes are those, else what they are.
func (s *session) found(b []byte, want hw.Data) hw.Data {
	expected := s.render(want)
	if s.err != nil || bytes.Equal(b, expected) {
		return want
	}
	return s.patterns.identify(b, expected, want)
}

// locked says what a registration that is refused may lack.
func locked(err error) error {
	var e *uapi.Error
	if errors.As(err, &e) && e.Errno == unix.ENOMEM {
		e.Why = "the limit of locked memory (RLIMIT_MEMLOCK) may be too low"
	}
	return err
}
