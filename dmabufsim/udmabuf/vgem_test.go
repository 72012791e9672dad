//go:build linux

package udmabuf

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"dmasim/internal/uapi"
)

// vgem opens vgem, or skips saying what is missing.
func vgem(t *testing.T) *Vgem {
	t.Helper()
	v, err := OpenVgem()
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		if v.fd >= 0 {
			require.NoError(t, v.Close())
		}
	})
	return v
}

// soon is long enough for something that does not wait, and to see that something waits.
const soon = 300 * time.Millisecond

// blocks tells whether a call has not returned soon; the channel gets its result.
func blocks(call func() error) (bool, chan error) {
	done := make(chan error, 1)
	go func() { done <- call() }()
	select {
	case err := <-done:
		done <- err
		return false, done
	case <-time.After(soon):
		return true, done
	}
}

// ready tells whether poll says that a dma-buf can be read, or written.
func ready(t *testing.T, b *DmaBuf, events int16) bool {
	t.Helper()
	for {
		p := []unix.PollFd{{Fd: int32(b.Fd()), Events: events}}
		n, err := unix.Poll(p, 0)
		if err != unix.EINTR {
			require.NoError(t, err)
			return n == 1
		}
	}
}

// Who waits for a pending fence: readers for a writer's, writers for everybody's.
func TestPendingFence(t *testing.T) {
	d, v := device(t), vgem(t)
	for _, c := range []struct {
		name        string
		as          uint32
		readersWait bool
	}{
		{"of a writer", uapi.DMA_BUF_SYNC_WRITE, true},
		{"of a reader", uapi.DMA_BUF_SYNC_READ, false},
	} {
		b, err := NewBuffer(d, page)
		require.NoError(t, err)
		require.True(t, ready(t, b.DmaBuf, unix.POLLIN|unix.POLLOUT), c.name)
		f, err := v.Fence()
		require.NoError(t, err)
		status, fences, err := f.Status()
		require.NoError(t, err)
		require.Equal(t, []int{0, 1}, []int{status, fences}, c.name)
		require.NoError(t, b.DmaBuf.ImportSyncFile(c.as, f.Fd()))

		require.Equal(t, !c.readersWait, ready(t, b.DmaBuf, unix.POLLIN), c.name)
		require.False(t, ready(t, b.DmaBuf, unix.POLLOUT), c.name)
		sync := func(flags uint64) func() error {
			return func() error {
				if err := b.DmaBuf.Sync(uapi.DMA_BUF_SYNC_START | flags); err != nil {
					return err
				}
				return b.DmaBuf.Sync(uapi.DMA_BUF_SYNC_END | flags)
			}
		}
		waits, read := blocks(sync(uapi.DMA_BUF_SYNC_READ))
		require.Equal(t, c.readersWait, waits, "%s: a reader", c.name)
		waits, write := blocks(sync(uapi.DMA_BUF_SYNC_WRITE))
		require.True(t, waits, "%s: a writer", c.name)
		for _, x := range []struct {
			flags   uint32
			pending bool
		}{{uapi.DMA_BUF_SYNC_READ, c.readersWait}, {uapi.DMA_BUF_SYNC_WRITE, true}} {
			out, err := b.DmaBuf.ExportSyncFile(x.flags)
			require.NoError(t, err)
			done, err := out.Wait(0)
			require.NoError(t, err)
			require.Equal(t, x.pending, !done, "%s: exported, flags %d", c.name, x.flags)
			require.NoError(t, out.Close())
		}
		// The memory behind it waits for nothing: fences are those of the dma-buf.
		b.IO.Bytes[0] = 7

		require.NoError(t, f.Signal())
		require.NoError(t, <-read, c.name)
		require.NoError(t, <-write, c.name)
		require.True(t, ready(t, b.DmaBuf, unix.POLLIN|unix.POLLOUT), c.name)
		status, _, err = f.Status()
		require.NoError(t, err)
		require.Equal(t, 1, status, c.name)
		require.ErrorIs(t, f.Signal(), unix.ENOENT, "once")
		require.NoError(t, f.Close())
		require.NoError(t, b.Close())
	}
}

// A fence of a device that is closed signals, and does not say that it was not done.
func TestFenceOfClosedDevice(t *testing.T) {
	v := vgem(t)
	f, err := v.Fence()
	require.NoError(t, err)
	require.NoError(t, v.Close())
	done, err := f.Wait(5 * time.Second)
	require.NoError(t, err)
	require.True(t, done)
	status, _, err := f.Status()
	require.NoError(t, err)
	require.Equal(t, 1, status)
	require.NoError(t, f.Close())
}
