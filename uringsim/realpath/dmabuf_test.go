//go:build linux

package realpath

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"dmasim/uringsim/realring"
	"dmasim/uringsim/workload"
)

// takesDmaBufs tells whether the kernel's fixed buffers can be dma-bufs.
func takesDmaBufs(t *testing.T) bool {
	r, err := realring.Setup(realring.Options{Entries: 1})
	require.NoError(t, err)
	defer r.Close()
	takes, err := r.TakesDmaBufs()
	require.NoError(t, err)
	return takes
}

// dmaBufs opens a path on a drive with buffers that can be registered as dma-bufs, or skips
// saying what is missing.
func dmaBufs(t *testing.T, buffers, size int) *Path {
	t.Helper()
	needRing(t)
	if !takesDmaBufs(t) {
		t.Skip("the kernel has no dma-buf backed registered buffers: an update of the table does not know IORING_RSRC_F_EXTENDED_UPDATE")
	}
	if os.Getenv("DMASIM_DRIVE") == "" {
		t.Skip("DMASIM_DRIVE names no drive that may be overwritten, and only block devices take dma-bufs")
	}
	p, err := Open(Options{Store: workload.Filled(workload.FilePattern, 1<<20), Buffers: buffers, Size: size})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	if p.device == nil {
		t.Skip(p.Notes())
	}
	require.NoError(t, p.RegisterAll())
	return p
}

// Transfers through a registered dma-buf move the same bytes as through the memory behind
// it, and follow the dma-buf's own pages.
func TestDmaBufTransfers(t *testing.T) {
	p := dmaBufs(t, 2, 1<<16)
	require.NoError(t, p.RegisterDmaBuf(0))
	for i, c := range []struct{ at, n int }{{0, 512}, {512, 4096}, {4096, 8192}, {0, 1 << 16}} {
		data := workload.Filled(byte(i), int64(c.n))
		require.NoError(t, p.Buffers[0].Write(c.at, data))
		require.NoError(t, p.Transfer(0, c.at, c.n, 8192, true))
		require.NoError(t, p.Transfer(1, 0, c.n, 8192, false))
		require.True(t, bytes.Equal(data, p.Buffers[1].IO.Bytes[:c.n]), "%d bytes at %d written", c.n, c.at)
		require.NoError(t, p.Buffers[0].Write(c.at, make([]byte, c.n)))
		require.NoError(t, p.Transfer(0, c.at, c.n, 8192, false))
		require.True(t, bytes.Equal(data, p.Buffers[0].IO.Bytes[c.at:c.at+c.n]), "%d bytes at %d read", c.n, c.at)
	}
}

// What a registration of a dma-buf and a request on it answer when they are wrong.
func TestDmaBufErrors(t *testing.T) {
	p := dmaBufs(t, 2, 1<<16)
	fd, buf := int32(p.Store.fd), int32(p.Buffers[0].DmaBuf.Fd())
	for _, c := range []struct {
		name string
		b    realring.DmaBuf
		want error
	}{
		{"no file", realring.DmaBuf{Target: noFdThere, DmaBuf: buf}, unix.EBADF},
		{"a file that is no block device", realring.DmaBuf{Target: int32(p.Buffers[1].Memfd.Fd()), DmaBuf: buf}, unix.EOPNOTSUPP},
		{"a drive without O_DIRECT", realring.DmaBuf{Target: int32(p.Store.buffered), DmaBuf: buf}, unix.EINVAL},
		{"no dma-buf", realring.DmaBuf{Target: fd, DmaBuf: noFdThere}, unix.EBADF},
		{"a file that is no dma-buf", realring.DmaBuf{Target: fd, DmaBuf: int32(p.Buffers[1].Memfd.Fd())}, unix.EINVAL},
	} {
		_, err := p.Ring.UpdateDmaBufs(0, []realring.DmaBuf{c.b})
		require.ErrorIs(t, err, c.want, c.name)
	}
	require.NoError(t, p.RegisterDmaBuf(0))
	for _, c := range []struct {
		name  string
		fd    int
		at, n uint64
		want  unix.Errno
	}{
		{name: "past the end", fd: int(fd), at: 1 << 16, n: 512, want: unix.EFAULT},
		{name: "nothing", fd: int(fd), want: unix.EFAULT},
		{name: "another file", fd: p.Store.readOnly, n: 512, want: unix.EBADF},
		{name: "odd length", fd: int(fd), n: 100, want: unix.EINVAL},
	} {
		done, err := p.Ring.Do(realring.ReadFixed(c.fd, c.at, uint32(c.n), 0, 0, 1))
		require.NoError(t, err, c.name)
		require.Equal(t, -int32(c.want), done.Res, c.name)
	}
}

// noFdThere is a descriptor that is not open.
const noFdThere = 1<<30 - 1

// Kernels without such buffers say so by EINVAL, and nothing of the table changes.
func TestNoDmaBufs(t *testing.T) {
	needRing(t)
	if takesDmaBufs(t) {
		t.Skip("the kernel has dma-buf backed registered buffers")
	}
	p, err := Open(Options{Store: workload.Filled(workload.FilePattern, 8192), Buffers: 1, Size: 4096})
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Close()) }()
	require.NoError(t, p.RegisterAll())
	n, err := p.Ring.UpdateDmaBufs(0, []realring.DmaBuf{{Target: int32(p.Store.fd), DmaBuf: -1}})
	require.Zero(t, n)
	require.True(t, errors.Is(err, unix.EINVAL), err)
	require.NoError(t, p.Transfer(0, 0, 4096, 0, false))
}
