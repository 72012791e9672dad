//go:build linux

package realring

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"dmasim/dmabufsim/udmabuf"
	"dmasim/internal/uapi"
)

// The mapping of a dma-buf is no fixed buffer: its pages cannot be pinned. Buffered I/O
// copies into it, through the mapping.
func TestRegisterDmaBufMapping(t *testing.T) {
	r := newRing(t, Options{Entries: 4})
	fd := file(t, 4096, 0)
	_, err := unix.Pwrite(fd, []byte("from the file"), 0)
	require.NoError(t, err)
	made := 0
	try := func(name string, b *udmabuf.DmaBuf, err error) {
		if err != nil {
			t.Logf("%s: %v", name, err)
			return
		}
		made++
		defer b.Close()
		m, err := b.Map(unix.PROT_READ | unix.PROT_WRITE)
		require.NoError(t, err)
		defer m.Close()
		require.ErrorIs(t, r.RegisterBuffers([]uapi.Iovec{{Base: m.Addr(), Len: 4096}}), unix.EFAULT, name)
		require.ErrorIs(t, r.UnregisterBuffers(), unix.ENXIO, name)
		require.EqualValues(t, 13, do(t, r, Read(fd, m.Addr(), 13, 0, 1)), name)
		require.Equal(t, "from the file", string(m.Bytes[:13]), name)
		require.Equal(t, neg(unix.EINVAL), do(t, r, Read(b.Fd(), memory(t, 4096).IO.Addr(), 100, 0, 1)), name)
	}
	b, err := udmabuf.NewHeapBuf(4096)
	try("the system heap", b, err)
	device, err := udmabuf.Open()
	if err != nil {
		t.Log(err)
	} else {
		defer device.Close()
		m, err := udmabuf.NewMemfd(4096, 0, unix.F_SEAL_SHRINK)
		require.NoError(t, err)
		defer m.Close()
		b, err = device.Create(m.Fd(), 0, 4096)
		try("udmabuf", b, err)
	}
	if made == 0 {
		t.Skip("the host has no dma-bufs")
	}
}
