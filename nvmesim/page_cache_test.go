package nvmesim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/iter"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// Files without O_DIRECT go through the page cache: what was written is read back at once,
// is on the drive after a sync, or when a direct read comes, and a direct write drops it.
func TestPageCache(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		d := NewDrive(k, Config{Name: "nvme0", Size: 1 << 20, Depth: 4})
		q := d.Queue()
		memory := &hw.Memory{}
		pages := memory.Alloc(k.Task, "kernel", 4)
		hw.Fill(pages, "kernel")
		rw := func(k *kernel.Task, flags uint32, pos int64, off, n uint64, dir hw.Direction) int64 {
			f := q.Open(flags)
			i := iter.Kvecs(k, dir, []iter.Kvec{iter.Lowmem(pages, off, n)}, n)
			kiocb := &iter.Kiocb{File: f, Pos: pos}
			if dir == hw.ToDevice {
				return f.Ops.WriteIter(k, kiocb, &i)
			}
			return f.Ops.ReadIter(k, kiocb, &i)
		}
		k.Go("task", func(k *kernel.Task) {
			require.EqualValues(t, 6000, rw(k, 0, 100, 0, 6000, hw.ToDevice))
			require.Equal(t, "byte 512 of nvme0", d.Controller().Blocks(1, 1).From(0), "not yet")
			require.EqualValues(t, 5000, rw(k, 0, 600, 8192, 5000, hw.FromDevice))
			got := hw.Peek(pages, 8192, 5000)
			require.Equal(t, -1, got.Diff(hw.Bytes("kernel", 500, 5000)))

			require.EqualValues(t, 512, rw(k, iter.O_DIRECT, 0, 14<<10, 512, hw.FromDevice), "writes back what it meets")
			got = hw.Peek(pages, 14<<10, 512)
			require.Equal(t, "byte 99 of nvme0", got.From(99))
			require.Equal(t, "byte 0 of kernel", got.From(100))

			require.Equal(t, kernel.OK, q.Sync(k))
			require.Equal(t, "byte 5999 of kernel", d.Controller().Blocks(11, 1).From(6099-11*512))
			require.Equal(t, "byte 6100 of nvme0", d.Controller().Blocks(11, 1).From(6100-11*512))

			require.EqualValues(t, 4096, rw(k, iter.O_DIRECT, 0, 0, 4096, hw.ToDevice), "drops what it meets")
			require.EqualValues(t, 512, rw(k, 0, 0, 8192, 512, hw.FromDevice))
			require.Equal(t, "byte 0 of kernel", hw.Peek(pages, 8192, 512).From(0))
		})
		k.Explore()
	})
}

// A token does not go through the page cache (IMP-6): nothing is read, and what is written is what
// the page held before. Repaired, it is refused.
func TestPageCacheAndToken(t *testing.T) {
	for _, repaired := range []bool{false, true} {
		passes(t, func(k *kernel.Task) {
			if repaired {
				token.Repair(k, token.FixRefuseBuffered)
			}
			r := newRig(k, Config{}, 1)
			r.premap(k)
			hw.Fill(r.pages, "buffer")
			f := r.queue.Open(0)
			k.Go("task", func(k *kernel.Task) {
				want := int64(4096)
				if repaired {
					want = iter.Neg(kernel.EINVAL)
				}
				i := iter.DmaToken(k, &token.Use{Token: r.tok, Dir: hw.FromDevice, Len: 4096})
				require.Equal(t, want, f.Ops.ReadIter(k, &iter.Kiocb{File: f}, &i))
				require.Equal(t, "byte 0 of buffer", hw.Peek(r.pages, 0, 512).From(0))
				i = iter.DmaToken(k, &token.Use{Token: r.tok, Dir: hw.ToDevice, Len: 4096})
				require.Equal(t, want, f.Ops.WriteIter(k, &iter.Kiocb{File: f, Pos: 8192, Flags: iter.IOCB_WRITE}, &i))
				require.Equal(t, kernel.OK, r.queue.Sync(k))
				wrote := "byte 0 of whoever had the page before"
				if repaired {
					wrote = "byte 8192 of nvme0"
				}
				require.Equal(t, wrote, r.ctrl.Blocks(16, 1).From(0))
			})
			k.Explore()
		})
	}
}
