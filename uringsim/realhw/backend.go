//go:build linux

package realhw

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"dmasim/sim"
	"dmasim/sim/hw"
)

// Options say what a backend is.
type Options struct {
	// Dir is the folder of the stores; "" is the one for temporary files.
	Dir string
	// Drive is a block device to use in place of files, which is overwritten; "" is none.
	Drive string
	// Overlap makes submission and completion of a transfer two operations.
	Overlap bool
	// Failed, if not nil, is called with the first error of the real path, by any of the
	// machines. Runs after that are of the model alone.
	Failed func(error)
}

// Backend is where programs run on real bytes. Any number of machines may use it at once.
type Backend struct {
	opt  Options
	note string

	mu    sync.Mutex
	freed *sync.Cond // a session was put back
	idle  []*session
	busy  int
	moved Moved
	err   error
}

// Open makes a backend, and tries it out. An error is a sentence that says what is missing;
// nothing is left behind then.
func Open(o Options) (*Backend, error) {
	b := &Backend{opt: o}
	b.freed = sync.NewCond(&b.mu)
	s, err := newSession(o)
	if err != nil {
		return nil, fmt.Errorf("the real path cannot be used: %w", err)
	}
	if err := s.tryOut(); err != nil {
		return nil, errors.Join(fmt.Errorf("the real path cannot be used: %w", err), s.close())
	}
	b.idle = append(b.idle, s)
	b.note = s.describe()
	return b, nil
}

// Program is body on real bytes.
func (b *Backend) Program(body func(*sim.Task)) func(*sim.Task) {
	return func(t *sim.Task) {
		if s := b.take(); s != nil {
			hw.Provide(t.Machine(), s, func() { b.put(s) })
		}
		body(t)
	}
}

// sessions is how many there are at most; a drive has no more places for their stores.
const sessions = 8

// take is a session for a run, which may have to wait for another one's; nil if there is none
// any more.
func (b *Backend) take() *session {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.err == nil && len(b.idle) == 0 && b.busy == sessions {
		b.freed.Wait()
	}
	if b.err != nil {
		return nil
	}
	b.busy++
	if n := len(b.idle); n > 0 {
		s := b.idle[n-1]
		b.idle = b.idle[:n-1]
		return s
	}
	s, err := newSession(b.opt)
	if err != nil {
		b.busy--
		b.fail(err)
		return nil
	}
	return s
}

// put takes a session back at the end of a run.
func (b *Backend) put(s *session) {
	s.tidy()
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.freed.Broadcast()
	b.busy--
	b.moved.add(s.moved)
	b.moved.Runs++
	s.moved = Moved{}
	if s.err == nil {
		b.idle = append(b.idle, s)
		return
	}
	b.fail(errors.Join(s.err, s.close()))
}

// fail notes the first error; the lock is held.
func (b *Backend) fail(err error) {
	if b.err != nil {
		return
	}
	b.err = fmt.Errorf("the real path failed: %w", err)
	if b.opt.Failed != nil {
		b.opt.Failed(b.err)
	}
}

// Err is the first error of the real path. What was found since it is about the model alone.
func (b *Backend) Err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// Note says in a line what the real path is.
func (b *Backend) Note() string { return b.note }

// Moved counts what was done so far.
func (b *Backend) Moved() Moved {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.moved
}

// Replayable tells whether a run can be repeated from its schedule.
func (b *Backend) Replayable() bool { return !b.opt.Overlap }

// Close ends a backend on which nothing runs.
func (b *Backend) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	if b.busy > 0 {
		errs = append(errs, fmt.Errorf("%d machine(s) still run on the real path that is closed", b.busy))
	}
	for _, s := range b.idle {
		errs = append(errs, s.close())
	}
	b.idle = nil
	if b.err == nil {
		b.err = errors.New("the real path is closed")
	}
	return errors.Join(errs...)
}

// describe says what the session's path is.
func (s *session) describe() string {
	how := fmt.Sprintf("O_DIRECT in blocks of %d bytes", s.store.Block)
	if !s.store.Strict {
		how = "O_DIRECT that the file system answers from the page cache"
	}
	views := "memfds with a udmabuf over each"
	if s.device == nil {
		views = "memfds alone, for there is no udmabuf"
	}
	where := "a file"
	if s.drive != "" {
		where = s.drive
	}
	var u unix.Utsname
	unix.Uname(&u) // fails only for a bad address
	return fmt.Sprintf("READ_FIXED and WRITE_FIXED on %s with %s, %s, Linux %s", where, how, views, unix.ByteSliceToString(u.Release[:]))
}
