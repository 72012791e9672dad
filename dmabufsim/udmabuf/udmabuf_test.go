//go:build linux

package udmabuf

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"dmasim/internal/simtest"
	"dmasim/internal/uapi"
)

// page is the page size of the tests' table.
var page = os.Getpagesize()

// What UDMABUF_CREATE answers.
func TestCreate(t *testing.T) {
	d := device(t)
	disk, err := os.CreateTemp(t.TempDir(), "")
	require.NoError(t, err)
	defer disk.Close()
	require.NoError(t, disk.Truncate(int64(page)))
	sealed := memfd(t, 4, 0, unix.F_SEAL_SHRINK).Fd()
	for _, c := range []struct {
		name         string
		memfd        int
		offset, size int
		want         error
	}{
		{"all", sealed, 0, 4 * page, nil},
		{"a part", sealed, page, page, nil},
		{"sealed against growing as well", memfd(t, 1, 0, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW).Fd(), 0, page, nil},
		{"no seals", memfd(t, 1, 0, 0).Fd(), 0, page, unix.EINVAL},
		{"sealed against growing only", memfd(t, 1, 0, unix.F_SEAL_GROW).Fd(), 0, page, unix.EINVAL},
		{"sealed against writing", memfd(t, 1, 0, unix.F_SEAL_SHRINK|unix.F_SEAL_WRITE).Fd(), 0, page, unix.EINVAL},
		{"sealed against new writers", memfd(t, 1, 0, unix.F_SEAL_SHRINK|unix.F_SEAL_FUTURE_WRITE).Fd(), 0, page, unix.EINVAL},
		{"offset 512", sealed, 512, page, unix.EINVAL},
		{"size 512", sealed, 0, 512, unix.EINVAL},
		{"size 0", sealed, 0, 0, unix.EINVAL},
		{"past the end", sealed, 0, 5 * page, unix.EINVAL},
		{"at the end", sealed, 4 * page, page, unix.EINVAL},
		{"no descriptor", -1, 0, page, unix.EBADFD},
		{"a descriptor that is no memfd", d.fd, 0, page, unix.EBADFD},
	} {
		b, err := d.Create(c.memfd, c.offset, c.size)
		if c.want != nil {
			require.ErrorIs(t, err, c.want, c.name)
			require.ErrorContains(t, err, "UDMABUF_CREATE of", c.name)
			continue
		}
		require.NoError(t, err, c.name)
		n, err := b.Size()
		require.NoError(t, err)
		require.Equal(t, c.size, n)
		require.NoError(t, b.Close())
	}
	_, errno := ioctl(d.fd, uapi.UDMABUF_CREATE, nil)
	require.Equal(t, unix.EFAULT, errno)
	_, errno = ioctl(d.fd, 0x7544, nil)
	require.Equal(t, unix.ENOTTY, errno)
}

func TestCreateList(t *testing.T) {
	d := device(t)
	m, other := memfd(t, 4, 0, unix.F_SEAL_SHRINK), memfd(t, 4, 0, unix.F_SEAL_SHRINK)
	for i, b := range []*Memfd{m, other} {
		view, err := b.Map(rw)
		require.NoError(t, err)
		for p := range 4 {
			view.Bytes[p*page] = byte('a' + 4*i + p)
		}
		require.NoError(t, view.Close())
	}
	var limit int
	if text, err := os.ReadFile("/sys/module/udmabuf/parameters/list_limit"); err == nil {
		fmt.Sscan(string(text), &limit)
	}
	many := func(n int) []Item {
		out := make([]Item, n)
		for i := range out {
			out[i] = Item{m.Fd(), 0, page}
		}
		return out
	}
	for _, c := range []struct {
		name  string
		items []Item
		want  string
		err   error
	}{
		{"none", nil, "", unix.EINVAL},
		{"one", many(1), "a", nil},
		{"a page twice", many(2), "aa", nil},
		{"reversed, from two", []Item{{other.Fd(), page, page}, {m.Fd(), 2 * page, 2 * page}, {other.Fd(), 0, page}}, "fcde", nil},
		{"size 0", []Item{{m.Fd(), 0, page}, {m.Fd(), 0, 0}}, "", unix.EINVAL},
		{"misaligned", []Item{{m.Fd(), 0, page}, {m.Fd(), 512, page}}, "", unix.EINVAL},
		{"bad descriptor", []Item{{m.Fd(), 0, page}, {-1, 0, page}}, "", unix.EBADFD},
		{"over the limit", many(limit + 1), "", unix.EINVAL},
	} {
		if c.name == "over the limit" && limit == 0 {
			continue
		}
		b, err := d.CreateList(c.items)
		if c.err != nil {
			require.ErrorIs(t, err, c.err, c.name)
			continue
		}
		require.NoError(t, err, c.name)
		view, err := b.Map(unix.PROT_READ)
		require.NoError(t, err)
		got := ""
		for p := range len(view.Bytes) / page {
			got += string(view.Bytes[p*page])
		}
		require.Equal(t, c.want, got, c.name)
		require.NoError(t, view.Close())
		require.NoError(t, b.Close())
	}
}

// What a dma-buf can do and cannot.
func TestDmaBuf(t *testing.T) {
	d := device(t)
	m := memfd(t, 4, 0, unix.F_SEAL_SHRINK)
	b, err := d.Create(m.Fd(), 0, 4*page)
	require.NoError(t, err)
	defer b.Close()

	_, err = unix.Pread(b.Fd(), make([]byte, 1), 0)
	require.ErrorIs(t, err, unix.ESPIPE)
	_, err = unix.Pwrite(b.Fd(), make([]byte, 1), 0)
	require.ErrorIs(t, err, unix.ESPIPE)
	_, err = Map(b.Fd(), 0, 5*page, rw)
	require.ErrorIs(t, err, unix.EINVAL)
	_, err = unix.Mmap(b.Fd(), 0, page, rw, unix.MAP_PRIVATE)
	require.ErrorIs(t, err, unix.EINVAL)

	for _, c := range []struct {
		flags uint64
		want  error
	}{
		{uapi.DMA_BUF_SYNC_END | uapi.DMA_BUF_SYNC_RW, unix.EINVAL}, // before any start
		{uapi.DMA_BUF_SYNC_START | uapi.DMA_BUF_SYNC_READ, nil},
		{uapi.DMA_BUF_SYNC_END | uapi.DMA_BUF_SYNC_READ, nil},
		{uapi.DMA_BUF_SYNC_START | uapi.DMA_BUF_SYNC_WRITE, nil},
		{uapi.DMA_BUF_SYNC_END | uapi.DMA_BUF_SYNC_WRITE, nil},
		{uapi.DMA_BUF_SYNC_START | uapi.DMA_BUF_SYNC_RW, nil},
		{uapi.DMA_BUF_SYNC_END | uapi.DMA_BUF_SYNC_RW, nil},
		{0, unix.EINVAL}, {4, unix.EINVAL}, {8, unix.EINVAL},
	} {
		if err := b.Sync(c.flags); c.want == nil {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, c.want, "flags %d", c.flags)
		}
	}
}

// Fences out and in: a stub that has signalled is there by default.
func TestSyncFile(t *testing.T) {
	d := device(t)
	m := memfd(t, 1, 0, unix.F_SEAL_SHRINK)
	b, err := d.Create(m.Fd(), 0, page)
	require.NoError(t, err)
	defer b.Close()
	for flags := uint32(1); flags <= 3; flags++ {
		s, err := b.ExportSyncFile(flags)
		if errors.Is(err, unix.ENOTTY) {
			t.Skip("the kernel's dma-bufs have no sync_files (CONFIG_SYNC_FILE): ", err)
		}
		require.NoError(t, err)
		status, fences, err := s.Status()
		require.NoError(t, err)
		require.Equal(t, []int{1, 1}, []int{status, fences})
		done, err := s.Wait(time.Second)
		require.NoError(t, err)
		require.True(t, done)
		for how := uint32(1); how <= 3; how++ {
			require.NoError(t, b.ImportSyncFile(how, s.Fd()))
		}
		for _, bad := range []uint32{0, 4} {
			require.ErrorIs(t, b.ImportSyncFile(bad, s.Fd()), unix.EINVAL)
		}
		require.NoError(t, s.Close())
	}
	for _, bad := range []uint32{0, 4} {
		_, err := b.ExportSyncFile(bad)
		require.ErrorIs(t, err, unix.EINVAL)
	}
	require.ErrorIs(t, b.ImportSyncFile(1, -1), unix.EINVAL)
	require.ErrorIs(t, b.ImportSyncFile(1, m.Fd()), unix.EINVAL)
}

// A seal against writing cannot come while a udmabuf is there; punching a hole parts the
// two views.
func TestMemfdUnderUdmabuf(t *testing.T) {
	d := device(t)
	b, err := NewBuffer(d, 4*page)
	require.NoError(t, err)
	defer b.Close()
	require.NoError(t, b.Write(0, []byte{0x6c}))
	require.ErrorIs(t, b.Memfd.Seal(unix.F_SEAL_WRITE), unix.EBUSY)
	require.NoError(t, unix.Fallocate(b.Memfd.Fd(), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, int64(page)))
	require.Zero(t, b.IO.Bytes[0])
	got := []byte{0}
	require.NoError(t, b.Read(got, 0))
	require.EqualValues(t, 0x6c, got[0])
}

// Nothing is left, also after what failed half-way.
func TestNoLeak(t *testing.T) {
	d := device(t)
	before := simtest.OpenFds(t)
	for range 20 {
		b, err := NewBuffer(d, page)
		require.NoError(t, err)
		require.NoError(t, b.Close())
		_, err = NewBuffer(d, page+1)
		require.ErrorIs(t, err, unix.EINVAL)
	}
	require.Equal(t, before, simtest.OpenFds(t))
}
