//go:build linux

package realpath

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// partition is a part of a drive that exists for one store, so that the drive's end is the
// store's.
type partition struct {
	drive  string
	number int
	path   string
}

// Partitions of stores have numbers that tables on drives do not use.
const firstPartition, lastPartition = 101, 108

// newPartition adds one of size bytes to a drive, which nobody may have mounted, and opens it.
// It is not written anywhere. What such a partition of another process left behind is removed.
func newPartition(drive string, size int64) (*partition, *os.File, error) {
	whole, err := openDrive(drive)
	if err != nil {
		return nil, nil, err
	}
	defer unix.Close(whole)
	p, err := addPartition(whole, drive, size)
	if err != nil {
		return nil, nil, err
	}
	f, err := os.OpenFile(p.path, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("the store: %w", err), blkpg(whole, unix.BLKPG_DEL_PARTITION, p.number, 0, 0))
	}
	return p, f, nil
}

func addPartition(whole int, drive string, size int64) (*partition, error) {
	room, err := unix.Seek(whole, 0, unix.SEEK_END)
	if err != nil {
		return nil, explain(err, "the size of the drive %s", drive)
	}
	const places = lastPartition - firstPartition + 1
	if size > room/places {
		return nil, fmt.Errorf("the drive %s of %d bytes is too small for %d stores of %d", drive, room, places, size)
	}
	for n := firstPartition; n <= lastPartition; n++ {
		start := room / places * int64(n-firstPartition) &^ 4095
		err := blkpg(whole, unix.BLKPG_ADD_PARTITION, n, start, size)
		if err == unix.EBUSY && blkpg(whole, unix.BLKPG_DEL_PARTITION, n, 0, 0) == nil {
			err = blkpg(whole, unix.BLKPG_ADD_PARTITION, n, start, size)
		}
		if err == nil {
			return &partition{drive, n, partitionPath(drive, n)}, nil
		}
		if err != unix.EBUSY {
			return nil, explain(err, "adding a partition of %d bytes to %s", size, drive)
		}
	}
	return nil, explain(unix.EBUSY, "adding a partition of %d bytes to %s, which is in use or has a partition table", size, drive)
}

// openDrive opens a whole drive that nobody has mounted, not for writing: it only answers
// questions. Until it is closed again others who ask in this way wait.
func openDrive(drive string) (int, error) {
	fd, err := unix.Open(drive, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, explain(err, "opening the drive %s", drive)
	}
	refuse := func(err error) (int, error) {
		unix.Close(fd)
		return -1, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return refuse(errors.Join(err, fmt.Errorf("%s is no block device", drive)))
	}
	for err = unix.EINTR; err == unix.EINTR; {
		err = unix.Flock(fd, unix.LOCK_EX)
	}
	if err != nil {
		return refuse(explain(err, "locking the drive %s", drive))
	}
	alone, err := unix.Open(drive, unix.O_RDONLY|unix.O_EXCL|unix.O_CLOEXEC, 0)
	if err != nil {
		return refuse(explain(err, "having the drive %s alone", drive))
	}
	unix.Close(alone)
	return fd, nil
}

func partitionPath(drive string, n int) string {
	if strings.ContainsAny(drive[len(drive)-1:], "0123456789") {
		drive += "p"
	}
	return fmt.Sprintf("%s%d", drive, n)
}

// remove closes the partition, by a function, and removes it. The drive is locked over both:
// who finds one that nobody has open takes it for left behind.
func (p *partition) remove(closed func() error) error {
	whole, err := openDrive(p.drive)
	if err != nil {
		return errors.Join(err, closed())
	}
	defer unix.Close(whole)
	err = closed()
	// What was in flight on a ring that is closed may hold the file a moment longer.
	busy := blkpg(whole, unix.BLKPG_DEL_PARTITION, p.number, 0, 0)
	for end := time.Now().Add(patience); busy == unix.EBUSY && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
		busy = blkpg(whole, unix.BLKPG_DEL_PARTITION, p.number, 0, 0)
	}
	if busy != nil {
		busy = explain(busy, "removing partition %d of %s", p.number, p.drive)
	}
	return errors.Join(err, busy)
}

// blkpg is the ioctl BLKPG.
func blkpg(fd, op, number int, start, length int64) error {
	part := &unix.BlkpgPartition{Start: start, Length: length, Pno: int32(number)}
	arg := &unix.BlkpgIoctlArg{Op: int32(op), Datalen: int32(unsafe.Sizeof(*part)), Data: (*byte)(unsafe.Pointer(part))}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.BLKPG, uintptr(unsafe.Pointer(arg))); errno != 0 {
		return errno
	}
	return nil
}

// NewDriveStore makes a store of a part of a drive, a block device that this process may
// write anywhere.
func NewDriveStore(drive string, contents []byte) (*Store, error) {
	p, f, err := newPartition(drive, int64(len(contents)))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s := &Store{fd: -1, readOnly: -1, buffered: -1, size: int64(len(contents)), Block: 512, Mem: 512, partition: p}
	err = s.open(f, contents)
	if err == nil {
		// A direct write that may not wait gives way to pages in the cache, and goes to a
		// worker. A drive that nobody has read has none.
		if err = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
			err = explain(err, "dropping the cache of %s", p.path)
		}
	}
	if err != nil {
		f.Close()
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}
