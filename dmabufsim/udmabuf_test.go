package dmabufsim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// createUdmabuf makes a udmabuf of a memfd of four pages, and returns its descriptor and the
// memfd with its own.
func createUdmabuf(k *kernel.Task, b *Bus) (fd, memfd int, m *Memfd) {
	m = b.NewMemfd(k, "memfd", 4, F_SEAL_SHRINK)
	memfd, _ = b.FDs.Install(k, m)
	fd, err := b.UdmabufIoctl(k, "UDMABUF_CREATE", []UdmabufItem{{memfd, 0, 4 * hw.PageSize}})
	if err != kernel.OK {
		k.BUG("UDMABUF_CREATE: %v", err)
	}
	return fd, memfd, m
}

var _ = conform(cases{
	{"C-UDMA-01", func(t *testing.T) {
		const page, mega = hw.PageSize, 1 << 20
		passes(t, func(k *kernel.Task) {
			b := NewBus(k)
			install := func(file any) int { fd, _ := b.FDs.Install(k, file); return fd }
			sealed := func(n int, s Seal) int { return install(b.NewMemfd(k, "memfd", n, s)) }
			good := sealed(4, F_SEAL_SHRINK)
			exec := b.NewMemfd(k, "memfd", 4, F_SEAL_SHRINK|F_SEAL_EXEC)
			exec.Exec = true
			create := func(fd int, off, size uint64) kernel.Errno {
				fd, err := b.UdmabufIoctl(k, "UDMABUF_CREATE", []UdmabufItem{{fd, off, size}})
				require.Equal(t, err == kernel.OK, fd >= 0)
				if err == kernel.OK {
					b.FDs.Close(k, fd)
				}
				return err
			}
			for name, c := range map[string]struct {
				fd        int
				off, size uint64
				want      kernel.Errno
			}{
				"good":                   {good, 0, 4 * page, kernel.OK},
				"the middle":             {good, page, 2 * page, kernel.OK},
				"offset not aligned":     {good, 512, page, kernel.EINVAL},
				"size not aligned":       {good, 0, 512, kernel.EINVAL},
				"no size":                {good, 0, 0, kernel.EINVAL},
				"past the end":           {good, page, 4 * page, kernel.EINVAL},
				"as large as may be":     {good, 0, 64 * mega, kernel.EINVAL}, // the file is smaller
				"too large, and no file": {-1, 0, 64*mega + page, kernel.EINVAL},
				"no file":                {-1, 0, page, kernel.EBADFD},
				"another kind of file":   {install("/dev/null"), 0, page, kernel.EBADFD},
				"a file of tmpfs":        {install(&TmpfsFile{4}), 0, page, kernel.EINVAL},
				"not sealed":             {sealed(4, 0), 0, page, kernel.EINVAL},
				"sealed to grow":         {sealed(4, F_SEAL_GROW), 0, page, kernel.EINVAL},
				"sealed to write":        {sealed(4, F_SEAL_SHRINK|F_SEAL_WRITE), 0, page, kernel.EINVAL},
				"sealed to write later":  {sealed(4, F_SEAL_SHRINK|F_SEAL_FUTURE_WRITE), 0, page, kernel.EINVAL},
				"sealed to execute":      {sealed(4, F_SEAL_SHRINK|F_SEAL_EXEC), 0, page, kernel.OK},
				"executable, and sealed": {install(exec), 0, page, kernel.EINVAL},
			} {
				require.Equal(t, c.want, create(c.fd, c.off, c.size), name)
			}
			ioctl := func(request string, items []UdmabufItem) kernel.Errno {
				fd, err := b.UdmabufIoctl(k, request, items)
				if err == kernel.OK {
					b.FDs.Close(k, fd)
				}
				return err
			}
			require.Equal(t, kernel.EFAULT, ioctl("UDMABUF_CREATE", nil))
			require.Equal(t, kernel.ENOTTY, ioctl("DMA_BUF_IOCTL_SYNC", nil))
			one := UdmabufItem{good, 0, page}
			list := func(n int) []UdmabufItem {
				var out []UdmabufItem
				for range n {
					out = append(out, one)
				}
				return out
			}
			require.Equal(t, kernel.EINVAL, ioctl("UDMABUF_CREATE_LIST", list(0)))
			require.Equal(t, kernel.OK, ioctl("UDMABUF_CREATE_LIST", list(2)), "a page twice")
			require.Equal(t, kernel.OK, ioctl("UDMABUF_CREATE_LIST", list(1024)))
			require.Equal(t, kernel.EINVAL, ioctl("UDMABUF_CREATE_LIST", list(1025)))
			require.Equal(t, kernel.EINVAL, ioctl("UDMABUF_CREATE_LIST", []UdmabufItem{one, {good, 0, 0}}))
			b.FDs.Limit = 4
			require.Equal(t, kernel.EMFILE, create(good, 0, page))
			k.Explore()
			require.Zero(t, b.FDs.files[good].(*Memfd).pins, "whatever failed has unpinned")
		})
	}},
	{"C-UDMA-02", func(t *testing.T) {
		for _, p := range profiles {
			passes(t, func(k *kernel.Task) {
				k.K.Profile = p
				b := NewBus(k)
				fd, _, m := createUdmabuf(k, b)
				d, _ := b.GetFD(k, fd)
				require.False(t, d.Dynamic())
				dev := hw.NewIOMMU(k.Task, "dev0")
				a, err := d.DynamicAttach(k, dev, notified(func(k *kernel.Task, _ *Attachment) { k.BUG("told of a move") }), nil)
				require.Equal(t, kernel.OK, err)
				require.Equal(t, p == kernel.V6_12, dev.Mapped() > 0, "mapped at attach, and once")
				d.Resv.Lock(k, nil)
				require.Equal(t, kernel.OK, a.Pin(k), "nothing to do")
				a.Unpin(k)
				d.Resv.Unlock(k)
				for range 2 {
					sgt, err := a.MapUnlocked(k, hw.Bidirectional)
					require.Equal(t, kernel.OK, err)
					require.Equal(t, m.Pages(), sgt.Pages)
					dev.DMA(k.Task, hw.FromDevice, sgt.Segments, hw.Bytes("drive", 0, 4*hw.PageSize))
					a.UnmapUnlocked(k, sgt, hw.Bidirectional)
				}
				require.Equal(t, hw.Bytes("drive", 0, 4*hw.PageSize), hw.Peek(m.Pages(), 0, 4*hw.PageSize))
				d.Detach(k, a)
				require.Zero(t, dev.Mapped())
				d.Put(k)
				b.FDs.Close(k, fd)
			})
		}
	}},
	{"C-UDMA-03", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			b := NewBus(k)
			fd, memfd, m := createUdmabuf(k, b)
			require.Equal(t, kernel.EBUSY, m.AddSeals(k, F_SEAL_WRITE))
			b.FDs.Close(k, memfd)
			require.Equal(t, "memfd", m.Pages()[0].Owner, "closing the file is harmless")
			d, _ := b.GetFD(k, fd)
			v, err := d.Mmap(k, 2*hw.PageSize, 1, true)
			require.Equal(t, kernel.OK, err)
			d.Put(k)
			b.FDs.Close(k, fd)
			k.Explore()
			got, err := v.Load(k, 100, 8)
			require.Equal(t, kernel.OK, err)
			require.Equal(t, hw.Bytes("memfd", hw.PageSize+100, 8), got, "the mapping has a reference of its own")
			require.Equal(t, kernel.OK, v.Store(k, hw.PageSize, hw.Bytes("cpu", 0, 8)))
			require.Equal(t, hw.Bytes("cpu", 0, 8), hw.Peek(m.Pages(), 2*hw.PageSize, 8))
			_, err = v.Load(k, 2*hw.PageSize, 8)
			require.Equal(t, kernel.EFAULT, err, "beyond the mapping")
			require.Equal(t, 1, m.pins)
			v.Unmap(k)
			require.Equal(t, 1, m.pins, "the release is deferred")
		})
		passes(t, func(k *kernel.Task) {
			b := NewBus(k)
			fd, memfd, m := createUdmabuf(k, b)
			b.FDs.Close(k, memfd)
			b.FDs.Close(k, fd)
			k.Go("idle", step)
			k.Explore()
			require.Zero(t, m.pins)
			require.Equal(t, "", m.Pages()[0].Owner)
		})
		passes(t, func(k *kernel.Task) { // what mmap is refused for
			b := NewBus(k)
			fd, memfd, _ := createUdmabuf(k, b)
			d, _ := b.GetFD(k, fd)
			for _, c := range []struct {
				n, page uint64
				shared  bool
				want    kernel.Errno
			}{
				{hw.PageSize, 0, false, kernel.EINVAL},
				{5 * hw.PageSize, 0, true, kernel.EINVAL},
				{hw.PageSize, 4, true, kernel.EINVAL},
				{hw.PageSize, 1<<64 - 1, true, kernel.EOVERFLOW},
			} {
				_, err := d.Mmap(k, c.n, c.page, c.shared)
				require.Equal(t, c.want, err)
			}
			w := newWorld(k)
			_, err := w.buf.Mmap(k, hw.PageSize, 0, true)
			require.Equal(t, kernel.EINVAL, err, "an exporter without the op")
			w.buf.Put(k)
			d.Put(k)
			b.FDs.Close(k, fd)
			b.FDs.Close(k, memfd)
		})
	}},
	{"C-UDMA-04", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			for mode, want := range map[hw.Mode]int{hw.Strict: 1, hw.Passthrough: 2} {
				b := NewBus(k)
				b.Memory.Chunk = 2
				fd, memfd, _ := createUdmabuf(k, b)
				dev := hw.NewIOMMU(k.Task, "dev0")
				dev.Configure(k.Task, hw.Config{Mode: mode, Memory: b.Memory})
				d, _ := b.GetFD(k, fd)
				a, _ := d.Attach(k, dev)
				sgt, _ := a.MapUnlocked(k, hw.Bidirectional)
				require.Len(t, sgt.Segments, want, "what lies in a row for the device is one segment")
				require.EqualValues(t, d.Size, sgt.Len())
				a.UnmapUnlocked(k, sgt, hw.Bidirectional)
				d.Detach(k, a)
				d.Put(k)
				b.FDs.Close(k, fd)
				b.FDs.Close(k, memfd)
			}
		})
	}},
	{"C-UDMA-05", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			b := NewBus(k)
			fd, memfd, _ := createUdmabuf(k, b)
			d, _ := b.GetFD(k, fd)
			require.Equal(t, kernel.EINVAL, d.Sync(k, DMA_BUF_SYNC_READ|DMA_BUF_SYNC_END))
			require.Equal(t, kernel.OK, d.Sync(k, DMA_BUF_SYNC_READ|DMA_BUF_SYNC_START))
			require.Equal(t, kernel.OK, d.Sync(k, DMA_BUF_SYNC_RW|DMA_BUF_SYNC_END))
			d.Put(k)
			b.FDs.Close(k, fd)
			b.FDs.Close(k, memfd)
		})
	}},
})
