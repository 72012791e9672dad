//go:build linux

package realhw

import (
	"fmt"
	"syscall"
	"time"

	"dmasim/internal/uapi"
	"dmasim/sim/hw"
	"dmasim/uringsim/realring"
)

// patience is how long a completion may take before the path says that it hangs.
const patience = 30 * time.Second

// flight is a transfer that was submitted.
type flight struct {
	parts  []hw.Part
	dir    hw.Direction
	pieces []piece
	left   int // of the pieces' requests
	// bounce is what the requests use instead of the pages, nil if there is none; then a
	// piece is the whole blocks around a stretch, of which the first skip bytes are of no
	// interest, and n are the transfer's.
	bounce *buffer
}

// piece is memory in one buffer that is transferred by one request.
type piece struct {
	*buffer
	at      int   // in the buffer
	len     int   // of the request
	off     int64 // in the store
	skip, n int
}

// perRequest separates the number of a transfer from that of its piece.
const perRequest = 1 << 20

// Submit begins a transfer, by requests on the pages themselves if direct I/O can do that.
func (s *session) Submit(x *hw.RealTransfer) hw.Ticket {
	if s.err != nil {
		return 0
	}
	n := 0
	for _, p := range x.Parts {
		n += p.N
	}
	stretches := s.place(x.Medium, x.At, n)
	if s.err != nil {
		return 0
	}
	f := &flight{parts: x.Parts, dir: x.Dir}
	var direct bool
	if f.pieces, direct = s.direct(x.Parts, stretches); !direct {
		s.bounced(f, stretches)
	}
	if x.Dir != hw.FromDevice {
		for _, c := range stretches {
			c.wrote(c.off, c.n)
		}
	}
	s.sent++
	s.send(f)
	return s.sent
}

// direct makes pieces of what lies in a row in a buffer and in the store, and tells whether
// direct I/O takes them all.
func (s *session) direct(parts []hw.Part, stretches []stretch) ([]piece, bool) {
	var out []piece
	used := 0 // of the first stretch
	for _, p := range parts {
		f, ok := s.frames[p.Page]
		if !ok {
			return nil, false
		}
		for in := 0; in < p.N; {
			c := stretches[0]
			n := min(p.N-in, c.n-used)
			one := piece{buffer: f.buffer, at: f.at + p.Off + in, len: n, off: c.at + int64(c.off+used)}
			if last := len(out) - 1; last >= 0 && out[last].buffer == one.buffer && out[last].at+out[last].len == one.at &&
				out[last].off+int64(out[last].len) == one.off {
				out[last].len += n
			} else {
				out = append(out, one)
			}
			in += n
			if used += n; used == c.n {
				stretches, used = stretches[1:], 0
			}
		}
	}
	for _, p := range out {
		if p.off%s.store.Block != 0 || int64(p.len)%s.store.Block != 0 || int64(p.at)%s.store.Mem != 0 {
			return nil, false
		}
	}
	return out, true
}

// bounced makes a transfer use a buffer of its own.
func (s *session) bounced(f *flight, stretches []stretch) {
	s.moved.Bounced++
	size := 0
	for _, c := range stretches {
		p := s.around(c)
		p.at = size
		size += (p.len + hw.PageSize - 1) / hw.PageSize * hw.PageSize
		f.pieces = append(f.pieces, p)
	}
	if f.bounce = s.take(size / hw.PageSize); f.bounce == nil {
		return
	}
	for i := range f.pieces {
		f.pieces[i].buffer = f.bounce
	}
	if f.dir == hw.FromDevice {
		return
	}
	var data []byte
	for _, p := range f.parts {
		data = s.gather(data, p)
	}
	for _, p := range f.pieces {
		if p.len != p.n {
			s.read(p.off, f.bounce.IO.Bytes[p.at:][:p.len])
		}
		copy(f.bounce.IO.Bytes[p.at+p.skip:], data[:p.n])
		data = data[p.n:]
	}
}

// around is the whole blocks around a stretch.
func (s *session) around(c stretch) piece {
	block := s.store.Block
	from := c.at + int64(c.off)
	first := from / block * block
	end := (from + int64(c.n) + block - 1) / block * block
	return piece{len: int(end - first), off: first, skip: int(from - first), n: c.n}
}

// gather appends what a part holds.
func (s *session) gather(b []byte, p hw.Part) []byte {
	f, ok := s.frames[p.Page]
	if !ok {
		return s.patterns.render(b, p.Data)
	}
	part := make([]byte, p.N)
	s.check(f.Read(part, f.at+p.Off))
	return append(b, part...)
}

// send gives the requests to the kernel.
func (s *session) send(f *flight) {
	if s.err != nil {
		return
	}
	entry := realring.WriteFixed
	if f.dir == hw.FromDevice {
		entry = realring.ReadFixed
	}
	s.flights[s.sent] = f
	for i, p := range f.pieces {
		if s.ring.Room() == 0 {
			s.submit()
		}
		e := entry(s.store.Fd(), p.IO.Addr()+uint64(p.at), uint32(p.len), uint64(p.off), uint16(p.slot), uint64(s.sent)*perRequest+uint64(i))
		if err := s.ring.Prepare(e); err != nil {
			s.fail(err)
			return
		}
		f.left++
		s.underWay++
		s.moved.Requests++
		s.moved.Bytes += uint64(p.len)
	}
	s.submit()
}

func (s *session) submit() {
	_, err := s.ring.Submit()
	s.check(err)
}

// Reap waits for a transfer, and does the rest of it.
func (s *session) Reap(t hw.Ticket) {
	f := s.flights[t]
	if f == nil {
		return
	}
	for f.left > 0 && s.err == nil {
		s.next()
	}
	delete(s.flights, t)
	if s.err != nil || f.bounce == nil {
		return
	}
	if f.dir == hw.FromDevice {
		var data []byte
		for _, p := range f.pieces {
			data = append(data, f.bounce.IO.Bytes[p.at+p.skip:][:p.n]...)
		}
		for _, p := range f.parts {
			if g, ok := s.frames[p.Page]; ok {
				s.check(g.Write(g.at+p.Off, data[:p.N]))
			}
			data = data[p.N:]
		}
	}
	s.drop(f.bounce)
}

// next waits for a completion, but not for ever.
func (s *session) next() {
	if _, err := s.ring.WaitTimeout(1, patience); err != nil {
		s.fail(err)
		return
	}
	c, _ := s.ring.Reap()
	t := hw.Ticket(c.UserData / perRequest)
	f := s.flights[t]
	if f == nil {
		s.fail(fmt.Errorf("a completion of request %d, which is not in flight", c.UserData))
		return
	}
	p, name := f.pieces[c.UserData%perRequest], "WRITE_FIXED"
	if f.dir == hw.FromDevice {
		name = "READ_FIXED"
	}
	switch {
	case c.Res < 0:
		s.fail(uapi.Fail(syscall.Errno(-c.Res), "%s of %d bytes at %d of buffer %d, offset %d", name, p.len, p.at, p.slot, p.off))
	case int(c.Res) != p.len:
		s.fail(fmt.Errorf("%s of %d bytes at %d of buffer %d, offset %d: only %d", name, p.len, p.at, p.slot, p.off, c.Res))
	}
	f.left--
	s.underWay--
}
