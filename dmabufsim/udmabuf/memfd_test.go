//go:build linux

package udmabuf

import (
	"os"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"dmasim/internal/simtest"
	"dmasim/internal/uapi"
)

func TestSeals(t *testing.T) {
	m := memfd(t, 4, 0, unix.F_SEAL_SHRINK)
	require.ErrorIs(t, unix.Ftruncate(m.Fd(), 4096), unix.EPERM)
	require.NoError(t, unix.Ftruncate(m.Fd(), int64(8*os.Getpagesize())), "growing is allowed")
	require.NoError(t, m.Seal(unix.F_SEAL_SEAL))
	err := m.Seal(unix.F_SEAL_GROW)
	require.ErrorIs(t, err, unix.EPERM)
	require.ErrorContains(t, err, "F_ADD_SEALS 0x4 on a memfd: EPERM")

	mapped := memfd(t, 1, 0, unix.F_SEAL_SHRINK)
	view, err := mapped.Map(rw)
	require.NoError(t, err)
	defer view.Close()
	require.ErrorIs(t, mapped.Seal(unix.F_SEAL_WRITE), unix.EBUSY)
}

// Two mappings of a memfd show the same bytes, and end where they end.
func TestMapping(t *testing.T) {
	m := memfd(t, 2, 0, unix.F_SEAL_SHRINK)
	a, err := m.Map(rw)
	require.NoError(t, err)
	defer a.Close()
	b, err := m.Map(unix.PROT_READ)
	require.NoError(t, err)
	a.Bytes[5000] = 7
	require.EqualValues(t, 7, b.Bytes[5000])
	require.NotEqual(t, a.Addr(), b.Addr())

	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	beyond := b.around[len(b.around)-1:]
	require.Panics(t, func() { _ = beyond[0] + 1; sink = beyond[0] }, "a guard page")
	require.Panics(t, func() { b.Bytes[0] = 1 }, "read-only")
	require.NoError(t, b.Close())
	require.NoError(t, b.Close())

	_, err = Map(m.Fd(), 1, 4096, rw)
	require.ErrorIs(t, err, unix.EINVAL)
	require.ErrorContains(t, err, "mmap of 4096 bytes at offset 1")
	_, err = NewMemfd(-1, 0, 0)
	require.ErrorIs(t, err, unix.EINVAL)
}

var sink byte

// A host without the device is told so, by name.
func TestNoDevice(t *testing.T) {
	_, err := open(t.TempDir() + "/udmabuf")
	require.ErrorIs(t, err, unix.ENOENT)
	require.ErrorContains(t, err, "no udmabuf driver (CONFIG_UDMABUF)")
}

// DMA_BUF_IOCTL_SYNC is for dma-bufs, and UDMABUF_CREATE for its device.
func TestNotADmaBuf(t *testing.T) {
	m := memfd(t, 1, 0, unix.F_SEAL_SHRINK)
	b := &DmaBuf{fd: m.Fd(), size: 4096}
	require.ErrorIs(t, b.Sync(uapi.DMA_BUF_SYNC_RW), unix.ENOTTY)
	_, err := b.ExportSyncFile(uapi.DMA_BUF_SYNC_RW)
	require.ErrorIs(t, err, unix.ENOTTY)
	null, err := open("/dev/null")
	require.NoError(t, err)
	defer null.Close()
	_, err = null.Create(m.Fd(), 0, 4096)
	require.ErrorIs(t, err, unix.ENOTTY)
	_, err = null.CreateList([]Item{{m.Fd(), 0, 4096}})
	require.ErrorIs(t, err, unix.ENOTTY)
}

// A buffer reads back what was written, with the device and without; it leaves nothing.
func TestBuffer(t *testing.T) {
	d, err := Open()
	if err != nil {
		t.Log(err)
	} else {
		defer d.Close()
	}
	for _, d := range []*Device{nil, d} {
		before := simtest.OpenFds(t)
		b, err := NewBuffer(d, 4*os.Getpagesize())
		require.NoError(t, err)
		if d == nil {
			require.Contains(t, b.Note(), "no /dev/udmabuf")
		}
		require.NoError(t, b.Write(4090, []byte("across a page")))
		require.Equal(t, "across a page", string(b.IO.Bytes[4090:4103]))
		b.IO.Bytes[4090] = 'A'
		got := make([]byte, 6)
		require.NoError(t, b.Read(got, 4090))
		require.Equal(t, "Across", string(got))
		require.NoError(t, b.Close())
		require.Equal(t, before, simtest.OpenFds(t))
	}
	require.NoError(t, (*Device)(nil).Close())
}
