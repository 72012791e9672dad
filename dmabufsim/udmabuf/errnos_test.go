//go:build linux

package udmabuf

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"dmasim/internal/uapi"
)

// tmpfs is a file in memory that no memfd_create made, or -1 where there is none.
func tmpfs(t *testing.T) int {
	for _, dir := range []string{t.TempDir(), "/dev/shm", "/tmp"} {
		var fs unix.Statfs_t
		if unix.Statfs(dir, &fs) != nil || fs.Type != unix.TMPFS_MAGIC {
			continue
		}
		f, err := os.CreateTemp(dir, "dmasim-*")
		if err != nil {
			continue
		}
		require.NoError(t, os.Remove(f.Name()))
		require.NoError(t, f.Truncate(int64(4*page)))
		t.Cleanup(func() { f.Close() })
		return int(f.Fd())
	}
	return -1
}

// parameter is a parameter of the module udmabuf, or 0.
func parameter(name string) int {
	text, _ := os.ReadFile("/sys/module/udmabuf/parameters/" + name)
	n, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return n
}

// What UDMABUF_CREATE answers to what few have tried.
func TestCreateOdd(t *testing.T) {
	d := device(t)
	create := func(arg uapi.UdmabufCreate) error {
		fd, errno := ioctl(d.fd, uapi.UDMABUF_CREATE, unsafe.Pointer(&arg))
		if errno != 0 {
			return errno
		}
		return unix.Close(fd)
	}
	sealed := memfd(t, 4, 0, unix.F_SEAL_SHRINK)
	all := uapi.UdmabufCreate{Memfd: uint32(sealed.Fd()), Size: uint64(4 * page)}
	with := func(change func(*uapi.UdmabufCreate)) uapi.UdmabufCreate {
		a := all
		change(&a)
		return a
	}
	require.NoError(t, create(all))
	require.NoError(t, create(with(func(a *uapi.UdmabufCreate) { a.Flags = 0xfffffff0 })), "unknown flags")
	require.ErrorIs(t, create(with(func(a *uapi.UdmabufCreate) { a.Offset = ^uint64(0) - uint64(page) + 1 })), unix.EINVAL, "an offset that wraps")

	limit := parameter("size_limit_mb")
	if limit > 0 && limit <= 64 {
		big := memfd(t, limit<<20/page+1, 0, unix.F_SEAL_SHRINK)
		require.NoError(t, create(uapi.UdmabufCreate{Memfd: uint32(big.Fd()), Size: uint64(limit) << 20}), "as much as the limit")
		require.ErrorIs(t, create(uapi.UdmabufCreate{Memfd: uint32(big.Fd()), Size: uint64(limit)<<20 + uint64(page)}), unix.EINVAL, "more than the limit")
	}
	if fd := tmpfs(t); fd >= 0 {
		require.ErrorIs(t, create(with(func(a *uapi.UdmabufCreate) { a.Memfd = uint32(fd) })), unix.EINVAL, "a file of tmpfs")
	}
	fd, err := unix.MemfdCreate("dmasim", unix.MFD_CLOEXEC)
	require.NoError(t, err)
	defer unix.Close(fd)
	require.NoError(t, unix.Ftruncate(fd, int64(4*page)))
	require.ErrorIs(t, create(with(func(a *uapi.UdmabufCreate) { a.Memfd = uint32(fd) })), unix.EINVAL, "a memfd that cannot be sealed")

	const sealExec = 0x20                         // F_SEAL_EXEC, 6.3
	exec := memfd(t, 4, 0x10, unix.F_SEAL_SHRINK) // MFD_EXEC
	if err := exec.Seal(sealExec); err == nil {
		require.ErrorIs(t, create(with(func(a *uapi.UdmabufCreate) { a.Memfd = uint32(exec.Fd()) })), unix.EINVAL, "F_SEAL_EXEC of what can be run")
	}
}

// The pad of a list's item is not looked at.
func TestCreateListPad(t *testing.T) {
	d := device(t)
	m := memfd(t, 1, 0, unix.F_SEAL_SHRINK)
	arg := &struct {
		uapi.UdmabufCreateList
		uapi.UdmabufCreateItem
	}{uapi.UdmabufCreateList{Flags: uapi.UDMABUF_FLAGS_CLOEXEC, Count: 1}, uapi.UdmabufCreateItem{Memfd: uint32(m.Fd()), Pad: 77, Size: uint64(page)}}
	fd, errno := ioctl(d.fd, uapi.UDMABUF_CREATE_LIST, unsafe.Pointer(arg))
	require.Zero(t, errno)
	require.NoError(t, unix.Close(fd))
}

// A dma-buf is no file to send to, and its mapping does not grow.
func TestDmaBufIsNoFile(t *testing.T) {
	d := device(t)
	m := memfd(t, 4, 0, unix.F_SEAL_SHRINK)
	b, err := d.Create(m.Fd(), 0, 2*page)
	require.NoError(t, err)
	defer b.Close()
	_, err = unix.Sendfile(b.Fd(), m.Fd(), nil, page)
	require.ErrorIs(t, err, unix.EINVAL)
	mem, err := unix.Mmap(b.Fd(), 0, page, rw, unix.MAP_SHARED)
	require.NoError(t, err)
	_, err = unix.Mremap(mem, 4*page, unix.MREMAP_MAYMOVE)
	require.ErrorIs(t, err, unix.EFAULT)
	require.NoError(t, unix.Munmap(mem))
}

// A seal against writing is refused while a udmabuf holds the pages, after waiting for them.
func TestSealTakesItsTime(t *testing.T) {
	d := device(t)
	m := memfd(t, 1, 0, unix.F_SEAL_SHRINK)
	b, err := d.Create(m.Fd(), 0, page)
	require.NoError(t, err)
	start := time.Now()
	require.ErrorIs(t, m.Seal(unix.F_SEAL_WRITE), unix.EBUSY)
	t.Logf("refused after %v", time.Since(start).Round(time.Millisecond))
	require.NoError(t, b.Close())
	require.Eventually(t, func() bool { return m.Seal(unix.F_SEAL_WRITE) == nil }, 10*time.Second, 50*time.Millisecond)
}

// The device is root's alone. The thread that becomes nobody is thrown away.
func TestOpenAsNobody(t *testing.T) {
	device(t)
	if os.Geteuid() != 0 {
		t.Skip("becoming nobody needs root")
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked
		const nobody = 65534
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
			done <- errno
			return
		}
		d, err := Open()
		if err == nil {
			d.Close()
		}
		done <- err
	}()
	err := <-done
	require.ErrorIs(t, err, unix.EACCES)
	require.ErrorContains(t, err, "for root only")
}

// Huge pages, and both kinds of pages in one dma-buf.
func TestHugePages(t *testing.T) {
	d := device(t)
	const huge = 2 << 20
	m, err := NewMemfd(2*huge, unix.MFD_HUGETLB, unix.F_SEAL_SHRINK)
	if err != nil {
		t.Skip("no memfd of huge pages: ", err)
	}
	defer m.Close()
	many, err := NewMemfd(1<<40, unix.MFD_HUGETLB, 0)
	if err == nil {
		_, err = unix.Mmap(many.Fd(), 0, 1<<40, rw, unix.MAP_SHARED)
		many.Close()
	}
	require.ErrorIs(t, err, unix.ENOMEM, "more than there are")
	mem, err := unix.Mmap(m.Fd(), 0, 2*huge, rw, unix.MAP_SHARED)
	if err != nil {
		t.Skip("no huge pages are reserved: ", err)
	}
	defer unix.Munmap(mem)
	mem[huge+page] = 'h'
	small := memfd(t, 2, 0, unix.F_SEAL_SHRINK)
	view, err := small.Map(rw)
	require.NoError(t, err)
	defer view.Close()
	view.Bytes[page] = 's'
	b, err := d.CreateList([]Item{{small.Fd(), page, page}, {m.Fd(), huge, huge}, {small.Fd(), 0, page}})
	require.NoError(t, err)
	defer b.Close()
	both, err := b.Map(rw)
	require.NoError(t, err)
	defer both.Close()
	require.Equal(t, "sh", string([]byte{both.Bytes[0], both.Bytes[2*page]}))
	both.Bytes[3*page] = 'x'
	require.EqualValues(t, 'x', mem[huge+2*page])
}

// The system heap's dma-bufs answer as udmabufs do, but for private mappings.
func TestSystemHeap(t *testing.T) {
	b, err := NewHeapBuf(4 * page)
	if err != nil {
		t.Skip("no system heap (CONFIG_DMABUF_HEAPS_SYSTEM), or it is for root only: ", err)
	}
	defer b.Close()
	n, err := b.Size()
	require.NoError(t, err)
	require.Equal(t, 4*page, n)
	view, err := b.Map(rw)
	require.NoError(t, err)
	defer view.Close()
	require.NoError(t, b.Sync(uapi.DMA_BUF_SYNC_START|uapi.DMA_BUF_SYNC_RW))
	view.Bytes[5] = 1
	require.NoError(t, b.Sync(uapi.DMA_BUF_SYNC_END|uapi.DMA_BUF_SYNC_RW))
	_, err = unix.Pread(b.Fd(), make([]byte, 1), 0)
	require.ErrorIs(t, err, unix.ESPIPE)
	private, err := unix.Mmap(b.Fd(), 0, page, rw, unix.MAP_PRIVATE)
	require.NoError(t, err, "which a udmabuf refuses")
	require.NoError(t, unix.Munmap(private))
	_, err = Map(b.Fd(), 0, 5*page, rw)
	require.ErrorIs(t, err, unix.EINVAL)
}
