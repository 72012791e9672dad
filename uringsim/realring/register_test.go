//go:build linux

package realring

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"dmasim/dmabufsim/udmabuf"
	"dmasim/internal/uapi"
)

// What a registration answers, and that one that fails leaves no table.
func TestRegisterBuffers(t *testing.T) {
	buf := memory(t, 16<<12)
	all := vec(buf)
	readOnly, err := buf.Memfd.Map(unix.PROT_READ)
	require.NoError(t, err)
	defer readOnly.Close()
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, make([]byte, 4096), 0o600))
	disk, err := unix.Open(name, unix.O_RDWR|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(disk)

	for _, c := range []struct {
		name string
		bufs []uapi.Iovec
		err  error
	}{
		{"length 0", []uapi.Iovec{{Base: all.Base}}, unix.EFAULT},
		{"NULL with a length", []uapi.Iovec{{Len: 4096}}, unix.EFAULT},
		{"an empty slot", []uapi.Iovec{{}}, nil},
		{"more than 1 GiB", []uapi.Iovec{{Base: all.Base, Len: 1<<30 + 1}}, unix.EFAULT},
		{"past the mapping", []uapi.Iovec{{Base: all.Base, Len: all.Len + 1}}, unix.EFAULT},
		{"before the mapping", []uapi.Iovec{{Base: all.Base - 1, Len: 2}}, unix.EFAULT},
		{"read-only mapping", []uapi.Iovec{{Base: readOnly.Addr(), Len: 4096}}, unix.EFAULT},
		{"the end of the address space", []uapi.Iovec{{Base: ^uint64(0) - 4095, Len: 8192}}, unix.EOVERFLOW},
		{"no buffers", []uapi.Iovec{}, unix.EINVAL},
		{"no array", nil, unix.EFAULT},
		{"16384 entries", make([]uapi.Iovec, uapi.IORING_MAX_REG_BUFFERS), nil},
		{"16385 entries", make([]uapi.Iovec, uapi.IORING_MAX_REG_BUFFERS+1), unix.EINVAL},
		{"a base that is not aligned", []uapi.Iovec{{Base: all.Base + 512, Len: 4096}}, nil},
		{"the last of three is wrong", []uapi.Iovec{all, {}, {Len: 1}}, unix.EFAULT},
		{"the same twice", []uapi.Iovec{all, all}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRing(t, Options{Entries: 4})
			err := r.RegisterBuffers(c.bufs)
			if c.err == nil {
				require.NoError(t, err)
				require.ErrorIs(t, r.RegisterBuffers([]uapi.Iovec{all}), unix.EBUSY)
				require.NoError(t, r.UnregisterBuffers())
			} else {
				require.ErrorIs(t, err, c.err)
				require.ErrorContains(t, err, "IORING_REGISTER_BUFFERS of")
			}
			require.ErrorIs(t, r.UnregisterBuffers(), unix.ENXIO)
			require.NoError(t, r.RegisterBuffers([]uapi.Iovec{all}), "nothing is left of the table")
		})
	}

	t.Run("mapping of a disk file", func(t *testing.T) {
		m, err := udmabuf.Map(disk, 0, 4096, unix.PROT_READ|unix.PROT_WRITE)
		require.NoError(t, err)
		defer m.Close()
		var fs unix.Statfs_t
		require.NoError(t, unix.Fstatfs(disk, &fs))
		if fs.Type == unix.TMPFS_MAGIC || fs.Type == unix.RAMFS_MAGIC {
			t.Skip("the temporary folder is not on a disk")
		}
		r := newRing(t, Options{Entries: 4})
		require.ErrorIs(t, r.RegisterBuffers([]uapi.Iovec{{Base: m.Addr(), Len: 4096}}), unix.EFAULT)
	})
}

func TestUpdateBuffers(t *testing.T) {
	r := newRing(t, Options{Entries: 4})
	buf, fd := memory(t, 2<<12), file(t, 8192, 0)
	all := vec(buf)
	_, err := r.UpdateBuffers(0, []uapi.Iovec{all})
	require.ErrorIs(t, err, unix.ENXIO, "no table")
	require.NoError(t, r.RegisterBuffers(make([]uapi.Iovec, 3)))
	for _, c := range []struct {
		name  string
		first int
		bufs  []uapi.Iovec
		n     int
		err   error
	}{
		{"one", 0, []uapi.Iovec{all}, 1, nil},
		{"all", 0, []uapi.Iovec{all, all, all}, 3, nil},
		{"none", 0, nil, 0, unix.EINVAL},
		{"past the end", 2, []uapi.Iovec{all, all}, 0, unix.EINVAL},
		{"beyond", 3, []uapi.Iovec{all}, 0, unix.EINVAL},
		{"overflow", -1, []uapi.Iovec{all}, 0, unix.EOVERFLOW},
		{"the first is wrong", 0, []uapi.Iovec{{Len: 1}, {}}, 0, unix.EFAULT},
		{"the second is wrong", 0, []uapi.Iovec{{}, {Len: 1}, {}}, 1, nil},
	} {
		n, err := r.UpdateBuffers(c.first, c.bufs)
		require.Equal(t, c.n, n, c.name)
		if c.err == nil {
			require.NoError(t, err, c.name)
		} else {
			require.ErrorIs(t, err, c.err, c.name)
		}
	}
	// What the partial update did, and what it left.
	require.Equal(t, neg(unix.EFAULT), do(t, r, ReadFixed(fd, all.Base, 512, 0, 0, 1)))
	require.EqualValues(t, 512, do(t, r, ReadFixed(fd, all.Base, 512, 0, 1, 1)))
	require.EqualValues(t, 512, do(t, r, ReadFixed(fd, all.Base, 512, 0, 2, 1)))
}

// A registration outlives the mapping, and keeps its pages when another one takes the
// place.
func TestRegistrationKeepsPages(t *testing.T) {
	r := newRing(t, Options{Entries: 4})
	fd := file(t, 4096, 0)
	_, err := unix.Pwrite(fd, []byte("from the file"), 0)
	require.NoError(t, err)
	m, err := udmabuf.NewMemfd(4096, 0, unix.F_SEAL_SHRINK)
	require.NoError(t, err)
	defer m.Close()
	old, err := m.Map(unix.PROT_READ | unix.PROT_WRITE)
	require.NoError(t, err)
	addr := old.Addr()
	require.NoError(t, r.RegisterBuffers([]uapi.Iovec{{Base: addr, Len: 4096}}))
	require.NoError(t, old.Close())
	require.EqualValues(t, 13, do(t, r, ReadFixed(fd, addr, 13, 0, 0, 1)))
	again, err := m.Map(unix.PROT_READ)
	require.NoError(t, err)
	defer again.Close()
	require.Equal(t, "from the file", string(again.Bytes[:13]))
}

// Requests that are wrong are answered by a completion.
func TestFixedErrors(t *testing.T) {
	r := newRing(t, Options{Entries: 4})
	buf, other := memory(t, 4<<12), memory(t, 4<<12)
	fd := file(t, 4<<12, 0)
	readOnly, err := unix.Open("/proc/self/exe", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(readOnly)
	a, n := buf.IO.Addr(), uint32(len(buf.IO.Bytes))

	require.Equal(t, neg(unix.EFAULT), do(t, r, ReadFixed(fd, a, 512, 0, 0, 1)), "no table")
	require.NoError(t, r.RegisterBuffers([]uapi.Iovec{vec(buf), {}, vec(other)}))
	for _, c := range []struct {
		name string
		sqe  uapi.IoUringSqe
		want int32
	}{
		{"read", ReadFixed(fd, a, 512, 0, 0, 1), 512},
		{"write", WriteFixed(fd, a, 512, 0, 0, 1), 512},
		{"exact fit", ReadFixed(fd, a, n, 0, 0, 1), int32(n)},
		{"any alignment without O_DIRECT", ReadFixed(fd, a+3, 100, 7, 0, 1), 100},
		{"length 0", ReadFixed(fd, a, 0, 0, 0, 1), 0},
		{"length 0 at the end", ReadFixed(fd, a+uint64(n), 0, 0, 0, 1), 0},
		{"length 0 past the end", ReadFixed(fd, a+uint64(n)+1, 0, 0, 0, 1), neg(unix.EFAULT)},
		{"end of the file", ReadFixed(fd, a, 512, 4<<12, 0, 1), 0},
		{"across the end of the file", ReadFixed(fd, a, 8192, 3<<12, 0, 1), 4096},
		{"past the buffer", ReadFixed(fd, a+uint64(n)-511, 512, 0, 0, 1), neg(unix.EFAULT)},
		{"before the buffer", ReadFixed(fd, a-1, 512, 0, 0, 1), neg(unix.EFAULT)},
		{"overflow", ReadFixed(fd, ^uint64(0)-511, 1024, 0, 0, 1), neg(unix.EFAULT)},
		{"empty slot", ReadFixed(fd, a, 512, 0, 1, 1), neg(unix.EFAULT)},
		{"index beyond the table", ReadFixed(fd, a, 512, 0, 3, 1), neg(unix.EFAULT)},
		{"another slot's address", ReadFixed(fd, a, 512, 0, 2, 1), neg(unix.EFAULT)},
		{"write past the buffer", WriteFixed(fd, a+uint64(n), 1, 0, 0, 1), neg(unix.EFAULT)},
		{"bad descriptor", ReadFixed(-1, a, 512, 0, 0, 1), neg(unix.EBADF)},
		{"write to what is read-only", WriteFixed(readOnly, a, 512, 0, 0, 1), neg(unix.EBADF)},
		{"plain read", Read(fd, a, 512, 0, 1), 512},
		{"plain write", Write(fd, a, 512, 0, 1), 512},
		{"plain read of a bad address", Read(fd, 4096, 512, 0, 1), neg(unix.EFAULT)},
		{"unknown operation", uapi.IoUringSqe{Opcode: 250, UserData: 1}, neg(unix.EINVAL)},
	} {
		require.Equal(t, c.want, do(t, r, c.sqe), c.name)
	}
	require.NoError(t, r.UnregisterBuffers())
	require.Equal(t, neg(unix.EFAULT), do(t, r, ReadFixed(fd, a, 512, 0, 0, 1)), "unregistered")
}

// An entry that is refused stops the kernel's submission there; Submit goes on with the
// rest.
func TestSubmitGoesOnAfterARefusedEntry(t *testing.T) {
	r := newRing(t, Options{Entries: 8})
	for i := range uint64(8) {
		e := Nop(i)
		if i%3 == 1 {
			e.Opcode = 250
		}
		require.NoError(t, r.Prepare(e))
	}
	n, err := r.Submit()
	require.NoError(t, err)
	require.Equal(t, 8, n)
	_, err = r.Wait(8)
	require.NoError(t, err)
	for i := range uint64(8) {
		c, ok := r.Reap()
		require.True(t, ok)
		require.Equal(t, i, c.UserData)
		require.Equal(t, i%3 == 1, c.Res == neg(unix.EINVAL))
	}
}

func TestFiles(t *testing.T) {
	r := newRing(t, Options{Entries: 4})
	fd, buf := file(t, 4096, 0), memory(t, 4096)
	fixed := func(slot int) uapi.IoUringSqe {
		e := Read(slot, buf.IO.Addr(), 100, 0, 1)
		e.Flags = uapi.IOSQE_FIXED_FILE
		return e
	}
	_, err := r.UpdateFiles(0, []int32{int32(fd)})
	require.ErrorIs(t, err, unix.ENXIO)
	require.ErrorIs(t, r.UnregisterFiles(), unix.ENXIO)
	require.ErrorIs(t, r.RegisterFiles([]int32{noFd}), unix.EBADF)
	require.ErrorIs(t, r.RegisterFiles([]int32{}), unix.EINVAL)
	require.ErrorIs(t, r.RegisterFiles(nil), unix.EFAULT)
	require.NoError(t, r.RegisterFiles([]int32{int32(fd), -1}))
	require.ErrorIs(t, r.RegisterFiles([]int32{int32(fd)}), unix.EBUSY)
	require.EqualValues(t, 100, do(t, r, fixed(0)))
	require.Equal(t, neg(unix.EBADF), do(t, r, fixed(1)))
	n, err := r.UpdateFiles(0, []int32{-1, int32(fd)})
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.Equal(t, neg(unix.EBADF), do(t, r, fixed(0)))
	require.EqualValues(t, 100, do(t, r, fixed(1)))
	_, err = r.UpdateFiles(1, []int32{-1, -1})
	require.ErrorIs(t, err, unix.EINVAL)
	require.NoError(t, r.UnregisterFiles())
}

// A request in flight keeps its buffer over an update and goes on using it.
func TestUpdateInFlight(t *testing.T) {
	r := newRing(t, Options{Entries: 4})
	old, young := memory(t, 4096), memory(t, 4096)
	require.NoError(t, r.RegisterBuffers([]uapi.Iovec{vec(old)}))
	in, out := pipe(t)
	require.NoError(t, r.Prepare(ReadFixed(in, old.IO.Addr(), 3, 0, 0, 1)))
	_, err := r.Submit()
	require.NoError(t, err)
	n, err := r.UpdateBuffers(0, []uapi.Iovec{vec(young)})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	unix.Write(out, []byte("abc"))
	c, err := r.Next()
	require.NoError(t, err)
	require.EqualValues(t, 3, c.Res)
	require.Equal(t, "abc", string(old.IO.Bytes[:3]))
	require.Equal(t, make([]byte, 3), young.IO.Bytes[:3])
}

// A limit of locked memory gives ENOMEM and a sentence. The limit is for those without
// CAP_IPC_LOCK, so a thread that is thrown away becomes nobody.
func TestMemlock(t *testing.T) {
	newRing(t, Options{Entries: 1})
	buf := memory(t, 1<<20)
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit))
	if limit.Max < 64<<10 {
		t.Skip("RLIMIT_MEMLOCK is too low to lower it")
	}
	low := limit
	low.Cur = 64 << 10
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_MEMLOCK, &low))
	defer unix.Setrlimit(unix.RLIMIT_MEMLOCK, &limit)
	done := make(chan error, 2)
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if unix.Geteuid() == 0 {
			const nobody = 65534
			if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
				done <- errno
				return
			}
		}
		r, err := Setup(Options{Entries: 4})
		if err != nil {
			done <- err
			return
		}
		defer r.Close()
		done <- r.RegisterBuffers([]uapi.Iovec{vec(buf)})
		done <- r.RegisterBuffers([]uapi.Iovec{{Base: buf.IO.Addr(), Len: 16 << 10}})
	}()
	err := <-done
	require.ErrorIs(t, err, unix.ENOMEM)
	require.ErrorContains(t, err, "RLIMIT_MEMLOCK")
	require.NoError(t, <-done)
}
