//go:build linux

package realpath

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"dmasim/dmabufsim/udmabuf"
	"dmasim/internal/uapi"
)

// Store is a file of fixed size without a name, or a part of a drive.
type Store struct {
	partition *partition
	// fd is for transfers, O_DIRECT if the file system has it; readOnly is the same but
	// for reading; buffered is for looking at the bytes.
	fd, readOnly, buffered int
	size                   int64
	// Direct tells whether there is O_DIRECT.
	Direct bool
	// Block is the unit of offsets and lengths in direct I/O, Mem that of addresses.
	Block, Mem int64
	// MemAlign is the unit of addresses as the file system names it (6.1), 0 if it does not.
	MemAlign int64
	// Strict tells whether other offsets and lengths are refused.
	Strict bool
	// ZeroTail tells whether a direct read across the end of the file leaves zeroes in
	// the rest of its memory.
	ZeroTail bool
	notes    []string
}

// NewStore makes a store with these contents in a folder.
func NewStore(dir string, contents []byte) (*Store, error) {
	s := &Store{fd: -1, readOnly: -1, buffered: -1, size: int64(len(contents)), Block: 512, Mem: 512}
	f, err := os.CreateTemp(dir, "dmasim-store-*")
	if err != nil {
		return nil, fmt.Errorf("a file for the store: %w", err)
	}
	defer f.Close()
	defer os.Remove(f.Name()) // for those who return early
	if err := s.open(f, contents); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// open opens the store that f is, and removes its name if it is a file.
func (s *Store) open(f *os.File, contents []byte) (err error) {
	open := func(flags int) (int, error) { return unix.Open(f.Name(), flags|unix.O_CLOEXEC, 0) }
	direct := unix.O_DIRECT
	if s.fd, err = open(unix.O_RDWR | direct); err == unix.EINVAL {
		direct = 0
		s.notes = append(s.notes, "the file system of "+filepath.Dir(f.Name())+" has no O_DIRECT: transfers go through the page cache")
		s.fd, err = open(unix.O_RDWR)
	}
	if err != nil {
		s.fd = -1
		return explain(err, "opening the store")
	}
	if s.readOnly, err = open(unix.O_RDONLY | direct); err != nil {
		s.readOnly = -1
		return explain(err, "opening the store for reading")
	}
	if s.buffered, err = open(unix.O_RDONLY); err != nil {
		s.buffered = -1
		return explain(err, "opening the store for looking at it")
	}
	if s.partition == nil {
		if err := os.Remove(f.Name()); err != nil {
			return explain(err, "removing the name of the store")
		}
	}
	if _, err := f.Write(contents); err != nil {
		return explain(err, "writing the store, %d bytes", len(contents))
	}
	if err := f.Sync(); err != nil {
		return explain(err, "writing the store, %d bytes", len(contents))
	}
	s.Direct = direct != 0
	if s.Direct {
		return s.probe()
	}
	return nil
}

// explain names what a failure of the file system means.
func explain(err error, format string, args ...any) error {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return fmt.Errorf(format+": %w", append(args, err)...)
	}
	e := &uapi.Error{Call: fmt.Sprintf(format, args...), Errno: errno}
	switch errno {
	case unix.ENOSPC, unix.EDQUOT:
		e.Why = "the disk of the temporary folder is full; TMPDIR names another"
	case unix.EFBIG:
		e.Why = "the limit of file sizes (RLIMIT_FSIZE) is too low"
	case unix.EROFS, unix.EACCES:
		e.Why = "the temporary folder cannot be written; TMPDIR names another"
	}
	return e
}

// probe finds out what direct I/O asks for: first what statx says (6.1), then what
// happens.
func (s *Store) probe() error {
	var st unix.Statx_t
	if unix.Statx(s.fd, "", unix.AT_EMPTY_PATH, unix.STATX_DIOALIGN, &st) == nil && st.Mask&unix.STATX_DIOALIGN != 0 {
		s.Block = max(s.Block, int64(st.Dio_offset_align))
		s.Mem = max(s.Mem, int64(st.Dio_mem_align))
		s.MemAlign = int64(st.Dio_mem_align)
	}
	page := os.Getpagesize()
	m, err := udmabuf.NewMemfd(page, 0, 0)
	if err != nil {
		return err
	}
	defer m.Close()
	mem, err := m.Map(unix.PROT_READ | unix.PROT_WRITE)
	if err != nil {
		return err
	}
	defer mem.Close()
	for ; s.Block < int64(page); s.Block *= 2 {
		if _, err := unix.Pread(s.fd, mem.Bytes[:s.Block], s.Block); err == nil {
			break
		}
	}
	_, offset := unix.Pread(s.fd, mem.Bytes[:s.Block], 100)
	_, length := unix.Pread(s.fd, mem.Bytes[:100], 0)
	s.Strict = offset == unix.EINVAL && length == unix.EINVAL
	mem.Bytes[page-1] = 1
	n, err := unix.Pread(s.fd, mem.Bytes, s.size-s.Block)
	s.ZeroTail = err == nil && n < page && mem.Bytes[page-1] == 0
	return nil
}

// Fd is the descriptor for transfers.
func (s *Store) Fd() int { return s.fd }

// Size is in bytes.
func (s *Store) Size() int64 { return s.size }

// Notes says what is missing.
func (s *Store) Notes() []string { return s.notes }

// Bytes reads all of it, past the ring and past O_DIRECT.
func (s *Store) Bytes() ([]byte, error) {
	out := make([]byte, s.size)
	for at := 0; at < len(out); {
		n, err := unix.Pread(s.buffered, out[at:], int64(at))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return nil, explain(err, "looking at the store")
		case n == 0:
			return nil, fmt.Errorf("looking at the store: it ends at %d instead of %d", at, s.size)
		}
		at += max(n, 0)
	}
	return out, nil
}

// Close ends the store; there is nothing to remove but a partition.
func (s *Store) Close() error {
	closed := func() error {
		var errs []error
		for _, fd := range []*int{&s.fd, &s.readOnly, &s.buffered} {
			if *fd >= 0 {
				errs = append(errs, unix.Close(*fd))
				*fd = -1
			}
		}
		return errors.Join(errs...)
	}
	if p := s.partition; p != nil {
		s.partition = nil
		return p.remove(closed)
	}
	return closed()
}
