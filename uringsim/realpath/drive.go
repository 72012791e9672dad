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

// newPartition adds one of size bytes to a drive, which nobody may have mounted. It is not
// written anywhere. What such a partition of another process left behind is removed.
func newPartition(drive string, size int64) (*partition, error) {
	whole, err := openDrive(drive)
	if err != nil {
		return nil, err
	}
	defer unix.Close(whole)
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

// openDrive opens a whole drive, not for writing: it only answers questions.
func openDrive(drive string) (int, error) {
	fd, err := unix.Open(drive, unix.O_RDONLY|unix.O_EXCL|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, explain(err, "opening the drive %s", drive)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFBLK {
		unix.Close(fd)
		return -1, errors.Join(err, fmt.Errorf("%s is no block device", drive))
	}
	return fd, nil
}

func partitionPath(drive string, n int) string {
	if strings.ContainsAny(drive[len(drive)-1:], "0123456789") {
		drive += "p"
	}
	return fmt.Sprintf("%s%d", drive, n)
}

// remove removes the partition, which has to be closed.
func (p *partition) remove() error {
	whole, err := openDrive(p.drive)
	if err != nil {
		return err
	}
	defer unix.Close(whole)
	// A ring that was closed lets go of its files a little later.
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		if err = blkpg(whole, unix.BLKPG_DEL_PARTITION, p.number, 0, 0); err != unix.EBUSY || time.Since(began) > time.Second {
			break
		}
	}
	if err != nil {
		return explain(err, "removing partition %d of %s", p.number, p.drive)
	}
	return nil
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
	p, err := newPartition(drive, int64(len(contents)))
	if err != nil {
		return nil, err
	}
	s := &Store{fd: -1, readOnly: -1, buffered: -1, size: int64(len(contents)), Block: 512, Mem: 512, partition: p}
	f, err := os.OpenFile(p.path, os.O_RDWR, 0)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the store: %w", err), s.Close())
	}
	defer f.Close()
	if err := s.open(f, contents); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}
