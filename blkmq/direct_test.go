package blkmq

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/iter"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// direct is a read from the beginning of a disk, with what the call and the completion
// said, and the sizes of the requests. The driver completes at once, in an interrupt.
type direct struct {
	profile kernel.Profile
	sync    bool
	flags   uint32
	// iter makes the iterator, on an address space with 600 pages at user.
	iter func(k *kernel.Task, mm *iter.Mm) iter.Iter
	// change changes the disk.
	change func(d *disk)

	ret         int64
	completions []int64
	sizes       []uint32
	left        uint64 // in the iterator
}

const user = 0x10000

func (c direct) run(t *testing.T) direct {
	t.Helper()
	passes(t, func(k *kernel.Task) {
		k.K.Profile = c.profile
		d := newDisk(k, 64)
		d.Size, d.Limits.MaxSectors, d.Limits.MaxSegments = 1<<22, 8192, 1024
		if c.change != nil {
			c.change(d)
		}
		d.driver.complete = true
		d.driver.queue = func(_ *kernel.Task, rq *Request) { c.sizes = append(c.sizes, rq.Bytes) }
		kiocb := &iter.Kiocb{File: d.Open(iter.O_DIRECT), Flags: c.flags}
		if !c.sync {
			kiocb.Complete = func(_ *kernel.Task, res int64) { c.completions = append(c.completions, res) }
		}
		mm := iter.NewMm(k, "user")
		pages := (&hw.Memory{Chunk: 1}).Alloc(k.Task, "user", 600) // no neighbours
		mm.Mmap(k, user, pages, iter.PROT_READ|iter.PROT_WRITE)
		i := c.iter(k, mm)
		c.ret = kiocb.File.Ops.ReadIter(k, kiocb, &i)
		c.left = i.Count
		settle(k, 1)
		for _, p := range pages {
			require.Zero(t, mm.Pins(p))
		}
	})
	return c
}

// bvecs is an iterator over n pages, from off on.
func bvecs(n int, off, count uint64) func(k *kernel.Task, mm *iter.Mm) iter.Iter {
	return func(k *kernel.Task, _ *iter.Mm) iter.Iter {
		var v []iter.Bvec
		for i := range n {
			v = append(v, iter.Bvec{Pages: frames(uint64(2*i), 1), Len: 4096})
		}
		i := iter.Bvecs(k, hw.FromDevice, v, count)
		i.Offset = off
		return i
	}
}

// ubuf is an iterator over user memory, from off on.
func ubuf(off, count uint64) func(k *kernel.Task, mm *iter.Mm) iter.Iter {
	return func(k *kernel.Task, mm *iter.Mm) iter.Iter {
		return iter.Ubuf(k, hw.FromDevice, mm, user+off, count)
	}
}

func TestDirect(t *testing.T) {
	for name, i := range map[string]func(k *kernel.Task, mm *iter.Mm) iter.Iter{"BVEC": bvecs(2, 0, 8192), "UBUF": ubuf(512, 8192)} {
		t.Run(name, func(t *testing.T) {
			r := direct{profile: kernel.V7_3, iter: i}.run(t)
			require.Equal(t, queued, r.ret)
			require.Equal(t, []int64{8192}, r.completions)
			require.Equal(t, []uint32{8192}, r.sizes)
			r = direct{profile: kernel.V7_3, sync: true, iter: i}.run(t)
			require.EqualValues(t, 8192, r.ret, "a synchronous call waits")
		})
	}
	require.Zero(t, direct{sync: true, iter: bvecs(1, 0, 0)}.run(t).ret)
	require.Equal(t, iter.Neg(kernel.EINVAL), direct{sync: true, iter: bvecs(2, 0, 4097)}.run(t).ret)
	// The end of the device cuts it short, and the iterator has the rest again.
	r := direct{iter: bvecs(2, 0, 8192), change: func(d *disk) { d.Size = 4096 }}.run(t)
	require.Equal(t, []int64{4096}, r.completions)
	require.EqualValues(t, 8192, r.left)
}

// An offset that the device cannot do: who tests it depends on the path and the version. In
// 7.3 an asynchronous bio of one vector is tested by nobody.
func TestDirectMisaligned(t *testing.T) {
	einval := iter.Neg(kernel.EINVAL)
	for _, c := range []struct {
		profile kernel.Profile
		sync    bool
		ret     int64
		sent    int
	}{
		{kernel.V6_12, false, einval, 0}, {kernel.V6_12, true, einval, 0},
		{kernel.V7_3, true, einval, 0}, {kernel.V7_3, false, queued, 1},
	} {
		r := direct{profile: c.profile, sync: c.sync, iter: bvecs(1, 2, 512)}.run(t)
		require.Equal(t, c.ret, r.ret, "%v", c)
		require.Len(t, r.sizes, c.sent, "%v", c)
	}
	r := direct{profile: kernel.V7_3, iter: bvecs(2, 2, 4096)}.run(t)
	require.Equal(t, queued, r.ret)
	require.Equal(t, []int64{einval}, r.completions, "more vectors are looked at by the splitter")
	// In 6.12 lengths have to be whole blocks, vector by vector.
	r = direct{profile: kernel.V6_12, iter: bvecs(2, 4, 4096)}.run(t)
	require.Equal(t, einval, r.ret)
	r = direct{profile: kernel.V7_3, iter: bvecs(2, 4, 4096)}.run(t)
	require.Equal(t, []int64{4096}, r.completions)
}

// More pages of a user than a bio has room for: several bios, one result, and nothing
// without waiting. A registered buffer of any length is one bio.
func TestDirectManyVectors(t *testing.T) {
	const n = 600 * 4096
	for _, sync := range []bool{false, true} {
		// A limit of a bio's length keeps them from being merged in the plug.
		r := direct{profile: kernel.V7_3, sync: sync, iter: ubuf(0, n), change: func(d *disk) { d.Limits.MaxSectors = 2048 }}.run(t)
		if sync {
			require.EqualValues(t, n, r.ret)
		} else {
			require.Equal(t, queued, r.ret)
			require.Equal(t, []int64{n}, r.completions)
		}
		require.Equal(t, []uint32{256 * 4096, 256 * 4096, 88 * 4096}, r.sizes)
	}
	// A bio ends at a block, wherever its room does.
	r := direct{profile: kernel.V7_3, iter: ubuf(2048, n-4096), change: func(d *disk) {
		d.Limits.LogicalBlock, d.Limits.MaxSectors = 4096, 255*8
	}}.run(t)
	require.Equal(t, []int64{n - 4096}, r.completions)
	require.EqualValues(t, 255*4096, r.sizes[0])
	r = direct{profile: kernel.V7_3, flags: iter.IOCB_NOWAIT, iter: ubuf(0, n)}.run(t)
	require.Equal(t, iter.Neg(kernel.EAGAIN), r.ret)
	require.Empty(t, r.completions)
	require.Empty(t, r.sizes)
	r = direct{profile: kernel.V7_3, flags: iter.IOCB_NOWAIT, iter: bvecs(600, 0, n)}.run(t)
	require.Equal(t, []uint32{n}, r.sizes)
	// Memory that is not there at the end: what was sent before is waited for.
	r = direct{profile: kernel.V7_3, iter: ubuf(0, n+4096)}.run(t)
	require.Equal(t, []int64{iter.Neg(kernel.EIO)}, r.completions)
	require.NotEmpty(t, r.sizes)
}

// Pages that are not there: none is pinned in the end.
func TestDirectFault(t *testing.T) {
	r := direct{iter: func(k *kernel.Task, mm *iter.Mm) iter.Iter { return iter.Ubuf(k, hw.FromDevice, mm, 0x1000, 4096) }}.run(t)
	require.Equal(t, iter.Neg(kernel.EFAULT), r.ret)
	require.Empty(t, r.sizes)
}

// The first error of several bios is the result of all.
func TestDirectManyFirstError(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		d := newDisk(k, 64)
		d.Size, d.Limits.MaxSectors, d.Limits.MaxSegments = 1<<22, 8192, 256
		var res []int64
		kiocb := &iter.Kiocb{File: d.Open(iter.O_DIRECT), Complete: func(_ *kernel.Task, r int64) { res = append(res, r) }}
		mm := iter.NewMm(k, "user")
		mm.Mmap(k, user, (&hw.Memory{Chunk: 1}).Alloc(k.Task, "user", 300), iter.PROT_READ|iter.PROT_WRITE)
		i := iter.Ubuf(k, hw.FromDevice, mm, user, 300*4096)
		require.Equal(t, queued, kiocb.File.Ops.ReadIter(k, kiocb, &i))
		rqs := d.driver.queued
		require.Len(t, rqs, 2)
		rqs[1].Complete(k, kernel.BLK_STS_MEDIUM)
		require.Empty(t, res)
		rqs[0].Complete(k, kernel.BLK_STS_TARGET)
		require.Equal(t, []int64{iter.Neg(kernel.ENODATA)}, res)
	})
}

// Polled I/O: the caller finds the bio in the kiocb.
func TestDirectPolled(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		d := newPolled(k)
		d.Ops = poller{d.driver}
		var res []int64
		kiocb := &iter.Kiocb{File: d.Open(iter.O_DIRECT), Flags: iter.IOCB_HIPRI, Complete: func(_ *kernel.Task, r int64) { res = append(res, r) }}
		i := bvecs(1, 0, 4096)(k, nil)
		require.Equal(t, queued, kiocb.File.Ops.ReadIter(k, kiocb, &i))
		require.Equal(t, 1, kiocb.Private.(*Bio).Poll(k))
		require.Equal(t, []int64{4096}, res)
	})
}
