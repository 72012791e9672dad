//go:build linux

package realpath

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"dmasim/internal/simtest"
	"dmasim/uringsim/workload"
)

// A device moves bytes there and back, and what it does after a move to the old place is
// seen by the owner of that.
func TestTransferAndMove(t *testing.T) {
	needRing(t)
	p, err := Open(Options{Dir: t.TempDir(), Store: workload.Filled(7, 65536), Buffers: 2, Size: 16384})
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Close()) }()
	require.NoError(t, p.RegisterAll())
	require.NoError(t, p.Transfer(0, 512, 8192, 4096, false))
	got := make([]byte, 8192)
	require.NoError(t, p.Buffers[0].Read(got, 512))
	require.Equal(t, workload.Filled(7, 65536)[4096:][:8192], got)

	require.NoError(t, p.Move(0, 1, []byte("evicted ")))
	require.NoError(t, p.Buffers[1].Read(got, 512))
	require.Equal(t, workload.Filled(7, 65536)[4096:][:8192], got)
	require.Equal(t, bytes.Repeat([]byte("evicted "), 2048), p.Buffers[0].IO.Bytes)

	require.NoError(t, p.Transfer(0, 0, 4096, 0, false), "a stale transfer")
	require.Equal(t, workload.Filled(7, 4096), p.Buffers[0].IO.Bytes[:4096])
	require.NoError(t, p.Transfer(0, 0, 16384, 16384, true))
	file, err := p.Store.Bytes()
	require.NoError(t, err)
	require.Equal(t, p.Buffers[0].IO.Bytes, file[16384:32768])
	require.Equal(t, workload.Filled(7, 65536)[32768:], file[32768:])

	err = p.Transfer(0, 16384, 512, 0, false)
	require.ErrorIs(t, err, unix.EFAULT)
	require.ErrorContains(t, err, "READ_FIXED of 512 bytes at 16384 of buffer 0, offset 0: EFAULT")
	require.ErrorContains(t, p.Transfer(0, 0, 8192, 65536-4096, false), "only 4096")
}

// Nothing is in the folder, not even while the path is open.
func TestNothingIsLeft(t *testing.T) {
	t.Setenv("DMASIM_DRIVE", "")
	needRing(t)
	before, dir := simtest.OpenFds(t), t.TempDir()
	for range 10 {
		p, err := Open(Options{Dir: dir, Store: make([]byte, 4096), Buffers: 3, Size: 4096})
		require.NoError(t, err)
		names, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, names)
		require.NoError(t, p.RegisterAll())
		require.NoError(t, p.Close())
	}
	require.Equal(t, before, simtest.OpenFds(t))
	_, err := Open(Options{Dir: dir + "/missing", Store: make([]byte, 4096)})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Equal(t, before, simtest.OpenFds(t))
}

// on runs fn in a thread of its own that has a file system mounted at dir, which nobody
// else sees and which ends with the thread.
func on(t *testing.T, fstype, data string, fn func(dir string) error) error {
	t.Helper()
	dir := t.TempDir()
	unusable := errors.New("not mounted")
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked
		err := unix.Unshare(unix.CLONE_NEWNS)
		if err == nil {
			err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		}
		if err == nil {
			err = unix.Mount("dmasim", dir, fstype, 0, data)
		}
		if err != nil {
			done <- fmt.Errorf("%w: %w", unusable, err)
			return
		}
		done <- fn(dir)
	}()
	err := <-done
	if errors.Is(err, unusable) {
		t.Skip("a file system of the test's own needs root: ", err)
	}
	return err
}

func TestFullDisk(t *testing.T) {
	before := simtest.OpenFds(t)
	err := on(t, "tmpfs", "size=64k", func(dir string) error {
		_, err := NewStore(dir, make([]byte, 1<<20))
		names, _ := os.ReadDir(dir)
		if len(names) > 0 {
			return errors.New("a file is left")
		}
		return err
	})
	require.ErrorIs(t, err, unix.ENOSPC)
	require.ErrorContains(t, err, "the disk of the temporary folder is full")
	require.Equal(t, before, simtest.OpenFds(t))
}

// A file system without O_DIRECT: everything runs through the page cache, and says so.
func TestWithoutODirect(t *testing.T) {
	t.Setenv("DMASIM_DRIVE", "")
	needRing(t)
	var notes []string
	w, err := workload.Parse(`workload buffers=1 size=4096 file=8192
register b0
read_fixed slot=0 b0+3:100 off=1
write_fixed slot=0 b0+0:4096 off=77
`)
	require.NoError(t, err)
	err = on(t, "ramfs", "", func(dir string) error {
		m, err := NewMachine(w, Options{Dir: dir})
		if err != nil {
			return err
		}
		notes = m.Notes()
		out, err := workload.Run(m, w)
		return errors.Join(err, m.Close(), workload.Check(w, m.Traits(), out))
	})
	require.NoError(t, err)
	require.True(t, strings.Contains(strings.Join(notes, "\n"), "has no O_DIRECT: transfers go through the page cache"), notes)
}
