package blkmq

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/iter"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// A file of two pieces, the second of which comes first on the device: what is behind its end is
// zeroes and does not count, and what cannot be transferred is refused piece by piece.
func TestRegularFile(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		d := newDisk(k, 8)
		f := &RegularFile{Queue: d.Queue, Size: 8192, Extents: []Extent{{Sector: 64, Len: 4096}, {Sector: 8, Len: 4096}}}
		file := f.Open("file", iter.FMODE_READ|iter.FMODE_WRITE)
		pages := (&hw.Memory{}).Alloc(k.Task, "user", 3)
		hw.Fill(pages, "user")
		var results []int64
		transfer := func(dir hw.Direction, off, n uint64, pos int64) int64 {
			d.driver.handed = nil
			results = nil
			i := iter.Bvecs(k, dir, []iter.Bvec{{Pages: pages, Len: 3 * hw.PageSize}}, n)
			i.Offset = off
			io := &iter.Kiocb{File: file, Pos: pos, Complete: func(_ *kernel.Task, res int64) { results = append(results, res) }}
			var ret int64
			if dir == hw.ToDevice {
				ret = f.WriteIter(k, io, &i)
			} else {
				ret = f.ReadIter(k, io, &i)
			}
			d.driver.finish(k)
			settle(k, 1)
			if ret == iter.Neg(kernel.EIOCBQUEUED) {
				require.Len(t, results, 1)
				return results[0]
			}
			require.Empty(t, results)
			return ret
		}
		sectors := func() (out []uint64) {
			for _, rq := range d.driver.handed {
				out = append(out, rq.Sector)
			}
			return out
		}
		require.EqualValues(t, 8192, transfer(hw.FromDevice, 0, 8192, 0))
		require.Equal(t, []uint64{64, 8}, sectors())
		require.EqualValues(t, 1024, transfer(hw.ToDevice, 0, 1024, 4096))
		require.Equal(t, []uint64{8}, sectors())
		require.EqualValues(t, 4096, transfer(hw.FromDevice, 0, 8192, 4096), "a short count")
		require.True(t, hw.Peek(pages, 0, 4096).Equal(hw.Bytes("user", 0, 4096)), "the driver is a fake")
		require.True(t, hw.Peek(pages, 4096, 4096).Equal(hw.Zeroes(4096)), "and zeroes behind the end")
		require.Zero(t, transfer(hw.FromDevice, 0, 512, 8192))
		require.Zero(t, transfer(hw.ToDevice, 0, 0, 8192))
		require.Equal(t, iter.Neg(kernel.EINVAL), transfer(hw.FromDevice, 0, 100, 0))
		require.Empty(t, sectors())
		require.Equal(t, iter.Neg(kernel.EINVAL), transfer(hw.FromDevice, 0, 4096+100, 0))
		require.Equal(t, []uint64{64}, sectors(), "the first piece was transferred all the same")
	})
}

// A write of nothing is a success also at the end of a device.
func TestWriteOfNothing(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		d := newDisk(k, 1)
		file := d.Open(iter.O_DIRECT)
		write := func(n uint64) int64 {
			i := iter.Bvecs(k, hw.ToDevice, []iter.Bvec{{Pages: frames(16, 1), Len: hw.PageSize}}, n)
			return file.Ops.WriteIter(k, &iter.Kiocb{File: file, Pos: size}, &i)
		}
		require.Zero(t, write(0))
		require.Equal(t, iter.Neg(kernel.ENOSPC), write(512))
	})
}
