package iter

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

const user = 1 << 20 // where the first vector of a board is

func TestCopyFaults(t *testing.T) {
	for _, y := range []Type{ITER_UBUF, ITER_IOVEC} {
		for name, c := range map[string]struct {
			dir  hw.Direction
			prot Prot
			want uint64
		}{
			"to memory that is not there":   {in, 0, 3996},
			"from memory that is not there": {out, 0, 3996},
			"to memory that is read-only":   {in, PROT_READ, 3996},
			"from memory that is read-only": {out, PROT_READ, 5000},
		} {
			t.Run(name+"/"+y.String(), func(t *testing.T) {
				passes(t, func(k *kernel.Task) {
					b := newBoard(k, y, c.dir, seg{100, 5000})
					if c.prot == 0 {
						b.mm.Munmap(k, user+4096, 4096)
					} else {
						b.mm.Mmap(k, user+4096, b.pages[0][1:], c.prot)
					}
					n := uint64(0)
					if c.dir == in {
						n = b.CopyToIter(k, hw.Bytes("x", 0, 5000))
					} else {
						_, n = b.CopyFromIter(k, 5000)
					}
					require.Equal(t, c.want, n)
					require.Equal(t, at{b.NrSegs(), c.want % 5000, 5000 - c.want}, at{b.NrSegs(), b.Offset % 5000, b.Count}, "it stands where the fault is")
				})
			})
		}
	}
}

// What is paged out is faulted in by those who may sleep, and is a fault to the others.
func TestPagesThatAreNotPresent(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		page := (&hw.Memory{}).Alloc(k.Task, "page cache", 1)
		for _, y := range []Type{ITER_UBUF, ITER_IOVEC} {
			b := newBoard(k, y, out, seg{4000, 200})
			away := func() { b.mm.PageOut(k, user+4096, 4096) }
			start := b.Save()

			away()
			require.EqualValues(t, 96, b.CopyPageFromIterAtomic(k, page, 0, 200))
			b.Restore(start)
			require.Zero(t, b.FaultInReadable(k, 200))
			require.EqualValues(t, 200, b.CopyPageFromIterAtomic(k, page, 0, 200))

			b.Restore(start)
			away()
			require.EqualValues(t, 200, b.CopyPageFromIter(k, page, 0, 200))

			b.Restore(start)
			away()
			b.Nofault = true
			_, _, n := b.ExtractPages(k, 200, 2, 0)
			require.EqualValues(t, 96, n, "the pages before")
			_, _, n = b.ExtractPages(k, 200, 2, 0)
			require.Equal(t, Neg(kernel.EFAULT), n)
			b.Nofault = false
			pages, off, n := b.ExtractPages(k, 200, 2, 0)
			require.EqualValues(t, 104, n)
			require.Zero(t, off)
			b.mm.Unpin(k, b.pages[0][0], pages[0])
		}
	})
}

func TestFaultIn(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		for _, y := range []Type{ITER_UBUF, ITER_IOVEC} {
			b := newBoard(k, y, in, seg{4000, 200})
			b.mm.Mmap(k, user+4096, b.pages[0][1:], PROT_READ)
			require.Zero(t, b.FaultInReadable(k, 200))
			require.EqualValues(t, 104, b.FaultInWriteable(k, 200))
			require.EqualValues(t, 100, b.FaultInReadable(k, 300), "the iterator has no more")
			b.Truncate(0)
			require.EqualValues(t, 7, b.FaultInReadable(k, 7))
		}
		require.Zero(t, newBoard(k, ITER_BVEC, in, seg{0, 5}).FaultInReadable(k, 300), "of kernel memory all is there")
	})
}

func TestUserCopiesMaySleep(t *testing.T) {
	atomic := func(copy func(k *kernel.Task, i *Iter), y Type, dir hw.Direction) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			b := newBoard(k, y, dir, seg{0, 100})
			k.PreemptDisable()
			copy(k, &b.Iter)
			k.PreemptEnable()
		}
	}
	to := func(k *kernel.Task, i *Iter) { i.CopyToIter(k, hw.Zeroes(9)) }
	from := func(k *kernel.Task, i *Iter) { i.CopyFromIter(k, 9) }
	page := func(k *kernel.Task, i *Iter) {
		i.CopyPageFromIterAtomic(k, (&hw.Memory{}).Alloc(k.Task, "page cache", 1), 0, 9)
	}
	extract := func(k *kernel.Task, i *Iter) { i.ExtractPages(k, 9, 1, 0) }
	for _, y := range []Type{ITER_UBUF, ITER_IOVEC} {
		fails(t, kernel.Context, "might_fault(copy_to_iter)", atomic(to, y, in))
		fails(t, kernel.Context, "might_fault(copy_from_iter)", atomic(from, y, out))
		fails(t, kernel.Context, "pin_user_pages_fast(user)", atomic(extract, y, in))
		passes(t, atomic(page, y, out))
	}
	for _, y := range []Type{ITER_KVEC, ITER_BVEC, ITER_DMA_TOKEN} {
		passes(t, atomic(to, y, in))
		passes(t, atomic(from, y, out))
		passes(t, atomic(extract, y, in))
	}
}

// What a device may write is pinned to be written; what it reads, to be read.
func TestPinsWantPermission(t *testing.T) {
	for _, c := range []struct {
		dir  hw.Direction
		prot Prot
		want int64
	}{
		{in, PROT_READ, Neg(kernel.EFAULT)},
		{out, PROT_READ, 100},
		{in, PROT_READ | PROT_WRITE, 100},
	} {
		passes(t, func(k *kernel.Task) {
			b := newBoard(k, ITER_UBUF, c.dir, seg{0, 100})
			b.mm.Mmap(k, user, b.pages[0], c.prot)
			pages, _, n := b.ExtractPages(k, 100, 1, 0)
			require.Equal(t, c.want, n)
			b.mm.Unpin(k, pages...)
		})
	}
}

func TestDeviceMemoryIsAskedFor(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		mm := NewMm(k, "user")
		bar := (&hw.Memory{}).NewBAR(k.Task, "gpu", 2)
		mm.Mmap(k, user, bar.Pages, PROT_READ|PROT_WRITE)
		i := Ubuf(k, in, mm, user, 8192)
		_, _, n := i.ExtractPages(k, 8192, 2, 0)
		require.Equal(t, Neg(kernel.EREMOTEIO), n)
		pages, _, n := i.ExtractPages(k, 8192, 2, ITER_ALLOW_P2PDMA)
		require.EqualValues(t, 8192, n)
		mm.Unpin(k, pages...)
	})
}

func TestPinsAreCounted(t *testing.T) {
	pinned := func(unpins int) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			b := newBoard(k, ITER_UBUF, in, seg{0, 100})
			again := b.Iter
			pages, _, _ := b.ExtractPages(k, 100, 1, 0)
			again.ExtractPages(k, 100, 1, 0)
			for range unpins {
				b.mm.Unpin(k, pages...)
			}
		}
	}
	fails(t, kernel.Leak, "user memory of user is still pinned, 1 time(s)", pinned(1))
	passes(t, pinned(2))
	fails(t, kernel.RefcountMisuse, "which is not pinned", pinned(3))
}

// dma is a device that writes to memory after it was told where that is, while the user
// unmaps it.
func dma(extract bool) func(k *kernel.Task) {
	return func(k *kernel.Task) {
		b := newBoard(k, ITER_UBUF, in, seg{0, 4096})
		page := b.pages[0]
		if extract {
			b.ExtractPages(k, 4096, 1, 0)
		}
		k.Go("munmap", func(k *kernel.Task) { b.mm.Munmap(k, user, 4096) })
		k.Go("device", func(k *kernel.Task) {
			k.Step(sim.Op{Verb: "DMA"})
			if hw.Store(k.Task, page, 0, hw.Bytes("drive", 0, 512)); page[0].Owner != "user" {
				k.Fail(hw.StaleDMA, "into the memory of somebody else")
			}
			if extract {
				b.mm.Unpin(k, page...)
			}
		})
		k.Explore()
		if page[0].Owner != "" {
			k.Fail("test", "in the end the page belongs to %s", page[0].Owner)
		}
	}
}

func TestMunmapWhileADeviceWrites(t *testing.T) {
	always(t, dma(true))
	sometimes(t, hw.StaleDMA, "into the memory of somebody else", dma(false))
}

// A copy ends short, or it does not: the user can unmap memory at any time.
func TestMunmapWhileCopying(t *testing.T) {
	race := func(want ...uint64) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			b := newBoard(k, ITER_IOVEC, in, seg{0, 4096}, seg{0, 4096})
			k.Go("munmap", func(k *kernel.Task) { b.mm.Munmap(k, 2*user, 4096) })
			k.Go("copy", func(k *kernel.Task) {
				if n := b.CopyToIter(k, hw.Bytes("x", 0, 8192)); !slices.Contains(want, n) {
					k.Fail("test", "%d bytes", n)
				}
			})
			k.Explore()
		}
	}
	always(t, race(4096, 8192))
	sometimes(t, "test", "4096 bytes", race(8192))
	sometimes(t, "test", "8192 bytes", race(4096))
}

// Page frames without pages can be copied from and to, but not pinned.
func TestPFNMapping(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		m := NewMm(k, "user")
		m.MmapPFN(k, user, (&hw.Memory{}).Alloc(k.Task, "dma-buf", 1), PROT_READ|PROT_WRITE)
		i := Ubuf(k, in, m, user, 512)
		_, _, n := i.ExtractPages(k, 512, 1, 0)
		require.Equal(t, Neg(kernel.EFAULT), n)
		require.EqualValues(t, 512, i.CopyToIter(k, hw.Zeroes(512)))
	})
}
