//go:build linux

package realhw

import (
	"cmp"
	"errors"
	"fmt"
	"os"

	"dmasim/dmabufsim/udmabuf"
	"dmasim/internal/uapi"
	"dmasim/sim/hw"
	"dmasim/uringsim/realpath"
	"dmasim/uringsim/realring"
)

// session is what one machine runs on. It is used by one goroutine at a time. After an
// error it does nothing, and a look finds what is expected.
type session struct {
	ring    *realring.Ring
	store   *realpath.Store
	device  *udmabuf.Device
	drive   string
	overlap bool
	err     error
	moved   Moved

	// buffers are by their slot in the ring's table; free are those that no run uses, by
	// their number of pages, and taken those that this one does.
	buffers []*buffer
	free    map[int][]*buffer
	taken   []*buffer
	frames  map[*hw.Page]frame

	media    map[string]*medium
	chunks   int // of the store that are some medium's
	flights  map[hw.Ticket]*flight
	underWay int // requests
	sent     hw.Ticket
	patterns patterns

	bounce            *buffer // for what is not done by the ring
	scratch, rendered []byte  // room
}

// slots is the size of the ring's table of buffers, and entries that of the ring.
const slots, entries = 1024, 64

func newSession(o Options) (*session, error) {
	s := &session{
		drive: o.Drive, overlap: o.Overlap, free: map[int][]*buffer{}, frames: map[*hw.Page]frame{},
		media: map[string]*medium{}, flights: map[hw.Ticket]*flight{}, patterns: patterns{},
	}
	if err := s.open(o); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *session) open(o Options) (err error) {
	if s.ring, err = realring.Setup(realring.Options{Entries: entries}); err != nil {
		return err
	}
	if err = s.ring.RegisterBuffers(make([]uapi.Iovec, slots)); err != nil {
		return err
	}
	if o.Drive == "" {
		s.store, err = realpath.NewStore(o.Dir, make([]byte, storeSize))
	} else {
		s.store, err = realpath.NewDriveStore(o.Drive, make([]byte, storeSize))
	}
	if err != nil {
		return err
	}
	if !s.store.Direct {
		return fmt.Errorf("the file system of %s has no O_DIRECT; TMPDIR names another folder", cmp.Or(o.Dir, os.TempDir()))
	}
	if o.Overlap && s.store.Block > hw.SectorSize {
		return fmt.Errorf("direct I/O to the store takes blocks of %d bytes, and transfers that overlap need blocks of %d; TMPDIR names another folder", s.store.Block, hw.SectorSize)
	}
	s.device, _ = udmabuf.Open() // describe says what is missing
	return nil
}

// tryOut moves some bytes each way, so that what does not work is known before the first
// run.
func (s *session) tryOut() error {
	p := &hw.Page{}
	s.Alloc([]*hw.Page{p})
	for _, dir := range []hw.Direction{hw.ToDevice, hw.FromDevice} {
		data := hw.Bytes("trial", 0, hw.PageSize)
		s.Store(p, 0, data)
		s.Reap(s.Submit(&hw.RealTransfer{Dir: dir, Parts: []hw.Part{{Page: p, N: hw.PageSize}}, Medium: "trial"}))
		if got := s.Look(p, 0, data); s.err == nil && !got.Equal(data) {
			s.err = errors.New("a page that was written to the store and read again holds " + got.String())
		}
	}
	s.tidy()
	s.forget()
	s.moved = Moved{}
	return s.err
}

// fail notes the first error.
func (s *session) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// check notes an error, if it is one.
func (s *session) check(err error) {
	if err != nil {
		s.fail(err)
	}
}

// tidy makes the session as the next run wants it.
func (s *session) tidy() {
	for s.underWay > 0 && s.err == nil {
		s.next()
	}
	clear(s.flights)
	for _, b := range s.taken {
		s.keep(b)
	}
	clear(s.taken)
	s.taken = s.taken[:0]
	clear(s.frames)
	s.restore()
	if s.chunks > chunksKept {
		s.forget()
	}
}

// close ends the session, after waiting for what is in flight.
func (s *session) close() error {
	if s.ring != nil {
		if err := s.ring.Close(); err != nil {
			return err // the kernel may still use the buffers
		}
	}
	var errs []error
	for _, b := range s.buffers {
		errs = append(errs, b.Close())
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	return errors.Join(append(errs, s.device.Close())...)
}

// Overlaps is part of hw.Backend, as are the methods in capitals that follow.
func (s *session) Overlaps() bool { return s.overlap }
