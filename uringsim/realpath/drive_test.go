//go:build linux

package realpath

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"dmasim/internal/simtest"
	"dmasim/uringsim/workload"
)

// What is no drive is refused, and not written.
func TestNoDrive(t *testing.T) {
	before := simtest.OpenFds(t)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, []byte("kept"), 0o600))
	for name, want := range map[string]string{
		file:              "is no block device",
		"/dev/null":       "is no block device",
		file + "/missing": "opening the drive",
	} {
		_, err := NewDriveStore(name, make([]byte, 4096))
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, name)
	}
	got, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "kept", string(got))
	require.Equal(t, before, simtest.OpenFds(t))
	require.Equal(t, "/dev/nvme0n1p101", partitionPath("/dev/nvme0n1", 101))
	require.Equal(t, "/dev/vda101", partitionPath("/dev/vda", 101))
}

// Stores on a drive end where they end, do not touch each other, and leave no partition,
// also one that another process left.
func TestDrive(t *testing.T) {
	drive := os.Getenv("DMASIM_DRIVE")
	if drive == "" {
		t.Skip("DMASIM_DRIVE names no drive that may be overwritten")
	}
	before := simtest.OpenFds(t)
	left, f, err := newPartition(drive, 4096)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	var stores []*Store
	for i := range 3 {
		s, err := NewDriveStore(drive, workload.Filled(byte(i), int64(i+1)<<12))
		require.NoError(t, err)
		require.True(t, s.Direct)
		require.True(t, s.Strict, "a block device takes whole blocks only")
		stores = append(stores, s)
	}
	require.Equal(t, left.path, stores[0].partition.path)
	for i, s := range stores {
		got, err := s.Bytes()
		require.NoError(t, err)
		require.True(t, bytes.Equal(workload.Filled(byte(i), s.Size()), got))
		end, err := unix.Seek(s.fd, 0, unix.SEEK_END)
		require.NoError(t, err)
		require.Equal(t, s.Size(), end)
		path := s.partition.path
		require.NoError(t, s.Close())
		require.NoFileExists(t, path)
	}
	// Several at once, each of which has to wait for its turn.
	errs := make(chan error)
	for range 6 {
		go func() {
			for range 10 {
				s, err := NewDriveStore(drive, make([]byte, 4096))
				if err == nil {
					err = s.Close()
				}
				if err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range 6 {
		require.NoError(t, <-errs)
	}
	require.Equal(t, before, simtest.OpenFds(t))
	_, _, err = newPartition(drive, 1<<40)
	require.ErrorContains(t, err, "is too small for")
}
