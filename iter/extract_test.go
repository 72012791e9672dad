package iter

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

func TestExtractBvecs(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		for _, y := range classic {
			b := newBoard(k, y, in, seg{512, 8192})
			vecs, n := b.ExtractBvecs(k, nil, 3, 511, 0)
			require.EqualValues(t, 8192, n, "%s", y)
			require.Equal(t, []Bvec{{b.pages[0][:3:3], 512, 8192}}, vecs, "neighbours are one vector")
			release(k, b, vecs)

			b = newBoard(k, y, in, seg{512, 8192})
			vecs, n = b.ExtractBvecs(k, nil, 2, 511, 0)
			require.EqualValues(t, 7680, n, "there is room for two pages")
			require.EqualValues(t, 512, b.Count)
			vecs, n = b.ExtractBvecs(k, vecs, 2, 511, 0)
			require.EqualValues(t, 512, n, "and, as they are one vector, for one more")
			require.Len(t, vecs, 2)
			release(k, b, vecs)

			_, n = b.ExtractBvecs(k, nil, 2, 511, 0)
			require.Equal(t, Neg(kernel.EFAULT), n, "nothing left")
			b = newBoard(k, y, in, seg{513, 8192})
			_, n = b.ExtractBvecs(k, nil, 2, 511, 0)
			require.Equal(t, Neg(kernel.EINVAL), n)
			vecs, n = b.ExtractBvecs(k, nil, 3, 0, 0)
			require.EqualValues(t, 8192, n)
			release(k, b, vecs)
		}
	})
}

func release(k *kernel.Task, b *board, vecs []Bvec) {
	for _, v := range vecs {
		if b.WillPin() {
			b.mm.Unpin(k, v.Pages...)
		}
	}
}

// Pages that are no neighbours make vectors of their own.
func TestExtractScatteredPages(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		m := hw.Memory{Chunk: 2}
		pages := m.Alloc(k.Task, "user", 5)
		mm := NewMm(k, "user")
		mm.Mmap(k, user, pages, PROT_READ|PROT_WRITE)
		i := Ubuf(k, in, mm, user+4000, 5*4096-4000)
		vecs, n := i.ExtractBvecs(k, nil, 8, 0, 0)
		require.EqualValues(t, 5*4096-4000, n)
		require.Equal(t, []Bvec{
			{pages[0:2:2], 4000, 4192},
			{pages[2:4:4], 0, 8192},
			{pages[4:5:5], 0, 4096},
		}, vecs)
		mm.Unpin(k, pages...)
	})
}

func TestExtractEndsWithTheVector(t *testing.T) {
	each(t, vectors, func(t *testing.T, k *kernel.Task, y Type) {
		b := newBoard(k, y, out, seg{0, 0}, seg{100, 300}, seg{0, 0}, seg{7, 5000})
		pages, off, n := b.ExtractPages(k, 9000, 8, 0)
		require.EqualValues(t, 300, n)
		require.EqualValues(t, 100, off)
		require.Equal(t, b.pages[1], pages)
		if b.WillPin() {
			b.mm.Unpin(k, pages...)
		}
		require.Equal(t, at{1, 0, 5000}, b.at())
	})
	each(t, []Type{ITER_BVEC, ITER_KVEC}, func(t *testing.T, k *kernel.Task, y Type) {
		b := newBoard(k, y, out, seg{0, 300}, seg{0, 300})
		b.Offset, b.Count = 300, 300 // filled by hand
		pages, _, n := b.ExtractPages(k, 300, 1, 0)
		require.EqualValues(t, 300, n)
		require.Equal(t, b.pages[1], pages)
		b.Count = 5
		_, _, n = b.ExtractPages(k, 5, 1, 0)
		require.Zero(t, n, "a count without vectors")
	})
	fails(t, sim.Bug, "an ITER_IOVEC iterator with 5 bytes left has no memory", func(k *kernel.Task) {
		i := Iovecs(k, in, NewMm(k, "user"), []Iovec{{4096, 0}}, 5)
		i.ExtractPages(k, 5, 1, 0)
	})
	fails(t, sim.Warn, "iov_iter_extract_pages of no pages", func(k *kernel.Task) {
		newBoard(k, ITER_BVEC, in, seg{0, 300}).ExtractPages(k, 300, 0, 0)
	})
}

// Counts that the vectors do not have are not noticed by the kernel, but by its debugging.
func TestCountBeyondTheVectors(t *testing.T) {
	for _, y := range vectors {
		for call, do := range map[string]func(k *kernel.Task, i *Iter){
			"iov_iter_npages":    func(k *kernel.Task, i *Iter) { i.Npages(k, 100) },
			"iov_iter_alignment": func(k *kernel.Task, i *Iter) { i.Alignment(k) },
			"copy_to_iter":       func(k *kernel.Task, i *Iter) { i.CopyToIter(k, hw.Zeroes(101)) },
		} {
			fails(t, sim.Bug, "KASAN: slab-out-of-bounds in "+call+": vector 2 of 2", func(k *kernel.Task) {
				b := newBoard(k, y, in, seg{0, 50}, seg{0, 50})
				b.Reexpand(101)
				do(k, &b.Iter)
			})
		}
	}
	fails(t, sim.Bug, "offset 51 in a vector of 50 bytes", func(k *kernel.Task) {
		b := newBoard(k, ITER_BVEC, in, seg{0, 50})
		b.Offset = 51
		b.CopyToIter(k, hw.Zeroes(1))
	})
	fails(t, sim.Bug, "bytes 10 to 4097 of 1 pages", func(k *kernel.Task) {
		i := Bvecs(k, in, []Bvec{{(&hw.Memory{}).Alloc(k.Task, "x", 1), 10, 4087}}, 4087)
		i.CopyToIter(k, hw.Zeroes(4087))
	})
	fails(t, sim.Warn, "copy_page_to_iter: bytes 4000 to 4100 of 1 page(s)", func(k *kernel.Task) {
		b := newBoard(k, ITER_BVEC, in, seg{0, 500})
		require.Zero(t, b.CopyPageToIter(k, b.pages[0], 4000, 100))
	})
}

func TestDupIsIndependent(t *testing.T) {
	each(t, vectors, func(t *testing.T, k *kernel.Task, y Type) {
		b := newBoard(k, y, in, three...)
		b.Advance(5000)
		d, ok := b.Dup(k, kernel.GFP_KERNEL)
		require.True(t, ok)
		require.Equal(t, b.at(), d.at())
		clear(b.iovecs)
		clear(b.kvecs)
		clear(b.bvecs)
		require.EqualValues(t, 4096, d.CopyToIter(k, hw.Bytes("x", 0, 4096)))
		require.Equal(t, hw.Bytes("x", 0, 4096), hw.Peek(b.pages[2], 8+904, 4096))
	})
	for _, y := range vectors {
		fails(t, sim.Bug, "vector 0 of 0", func(k *kernel.Task) {
			b := newBoard(k, y, in, three...)
			k.K.FailAlloc("dup_iter", 1)
			d, ok := b.Dup(k, kernel.GFP_KERNEL)
			require.False(t, ok)
			d.CopyToIter(k, hw.Zeroes(1)) // whoever takes NULL for that of UBUF
		})
		fails(t, sim.Bug, "vector -1 of 1", func(k *kernel.Task) {
			b := newBoard(k, y, in, three...)
			b.Advance(5000)
			d, _ := b.Dup(k, kernel.GFP_KERNEL)
			d.Revert(k, 905)
		})
	}
}

func TestSingleSegCount(t *testing.T) {
	each(t, vectors, func(t *testing.T, k *kernel.Task, y Type) {
		b := newBoard(k, y, in, three...)
		require.EqualValues(t, 4096, b.SingleSegCount(k))
		b.Advance(96)
		require.EqualValues(t, 4000, b.SingleSegCount(k))
		b.Truncate(10)
		require.EqualValues(t, 10, b.SingleSegCount(k))
		b.Reexpand(9000)
		b.Advance(4000)
		require.EqualValues(t, 5000, b.SingleSegCount(k))
	})
}

func TestIsAligned(t *testing.T) {
	each(t, vectors, func(t *testing.T, k *kernel.Task, y Type) {
		b := newBoard(k, y, in, seg{512, 1024}, seg{8, 512})
		require.True(t, b.IsAligned(k, 7, 511))
		require.False(t, b.IsAligned(k, 15, 511), "the second begins at 8")
		require.False(t, b.IsAligned(k, 7, 1023), "and is no longer")
		b.Truncate(1024)
		require.True(t, b.IsAligned(k, 511, 1023))
		b.Advance(4)
		require.False(t, b.IsAligned(k, 7, 0))
		require.False(t, b.IsAligned(k, 0, 7))
	})
}
