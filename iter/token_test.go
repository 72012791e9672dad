package iter

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// What every function does with 5000 bytes at offset 8, of memory of an ordinary type and
// of a token. Columns are those of classic, then the token.
func TestTokenBesideOrdinaryTypes(t *testing.T) {
	same := func(v any) [5]any { return [5]any{v, v, v, v, v} }
	but := func(ordinary, token any) [5]any { return [5]any{ordinary, ordinary, ordinary, ordinary, token} }
	low := func(v uint64) uint64 { return v & (hw.PageSize - 1) }
	type place struct{ moved, count uint64 } // since the beginning
	for name, c := range map[string]struct {
		dir  hw.Direction
		do   func(k *kernel.Task, b *board) any
		want [5]any
	}{
		"advance": {in, func(k *kernel.Task, b *board) any {
			b.Advance(100)
			return nil
		}, same([]any{nil, place{100, 4900}})},
		"advance too far": {in, func(k *kernel.Task, b *board) any {
			b.Advance(5001)
			return b.Count
		}, [5]any{
			[]any{uint64(0), place{5000, 0}},
			[]any{uint64(0), place{0, 0}}, []any{uint64(0), place{0, 0}}, []any{uint64(0), place{0, 0}}, // behind the vector
			[]any{uint64(0), place{5000, 0}},
		}},
		"revert": {in, func(k *kernel.Task, b *board) any {
			b.Advance(100)
			b.Revert(k, 30)
			return nil
		}, same([]any{nil, place{70, 4930}})},
		"truncate": {in, func(k *kernel.Task, b *board) any {
			b.Truncate(100)
			return nil
		}, same([]any{nil, place{0, 100}})},
		"reexpand": {in, func(k *kernel.Task, b *board) any {
			b.Truncate(100)
			b.Reexpand(200)
			return nil
		}, same([]any{nil, place{0, 200}})},
		"restore": {in, func(k *kernel.Task, b *board) any {
			b.Advance(4)
			s := b.Save()
			b.Advance(4)
			b.Restore(s)
			return nil
		}, same([]any{nil, place{4, 4996}})},
		"alignment": {in, func(k *kernel.Task, b *board) any {
			return low(b.Alignment(k))
		}, but([]any{low(8 | 5000), place{0, 5000}}, []any{low(tokenAddr+8) | low(5000), place{0, 5000}})},
		"is aligned": {in, func(k *kernel.Task, b *board) any {
			return []bool{b.IsAligned(k, 7, 7), b.IsAligned(k, 15, 0), b.IsAligned(k, 0, 15)}
		}, but([]any{[]bool{true, false, false}, place{0, 5000}}, []any{[]bool{true, true, true}, place{0, 5000}})},
		"npages": {in, func(k *kernel.Task, b *board) any {
			return b.Npages(k, 10)
		}, but([]any{2, place{0, 5000}}, []any{0, place{0, 5000}})},
		"single segment": {in, func(k *kernel.Task, b *board) any {
			return b.SingleSegCount(k)
		}, same([]any{uint64(5000), place{0, 5000}})},
		"dup": {in, func(k *kernel.Task, b *board) any {
			_, ok := b.Dup(k, kernel.GFP_KERNEL)
			return ok
		}, [5]any{
			[]any{false, place{0, 5000}},
			[]any{true, place{0, 5000}}, []any{true, place{0, 5000}}, []any{true, place{0, 5000}},
			[]any{false, place{0, 5000}},
		}},
		"fault in": {in, func(k *kernel.Task, b *board) any {
			return b.FaultInWriteable(k, 5000)
		}, same([]any{uint64(0), place{0, 5000}})},
		"copy to": {in, func(k *kernel.Task, b *board) any {
			return b.CopyToIter(k, hw.Bytes("x", 0, 100))
		}, but([]any{uint64(100), place{100, 4900}}, []any{uint64(100), place{0, 4900}})},
		"copy from": {out, func(k *kernel.Task, b *board) any {
			d, n := b.CopyFromIter(k, 100)
			return []any{n, d.Len()}
		}, but([]any{[]any{uint64(100), 100}, place{100, 4900}}, []any{[]any{uint64(100), 0}, place{0, 4900}})},
		"zero": {in, func(k *kernel.Task, b *board) any {
			return b.Zero(k, 100)
		}, but([]any{uint64(100), place{100, 4900}}, []any{uint64(100), place{0, 4900}})},
		"copy more than there is": {in, func(k *kernel.Task, b *board) any {
			b.Truncate(100)
			return b.CopyToIter(k, hw.Bytes("x", 0, 101))
		}, but([]any{uint64(100), place{100, 0}}, []any{uint64(100), place{0, 0}})},
		"extract": {in, func(k *kernel.Task, b *board) any {
			pages, _, n := b.ExtractPages(k, 100, 4, 0)
			if b.WillPin() {
				b.mm.Unpin(k, pages...)
			}
			return n
		}, but([]any{int64(100), place{100, 4900}}, []any{Neg(kernel.EFAULT), place{0, 5000}})},
		"extract vectors": {in, func(k *kernel.Task, b *board) any {
			vecs, n := b.ExtractBvecs(k, nil, 4, 7, 0)
			for _, v := range vecs {
				if b.WillPin() {
					b.mm.Unpin(k, v.Pages...)
				}
			}
			b.Revert(k, uint64(max(n, 0)))
			return n
		}, but([]any{int64(5000), place{0, 5000}}, []any{Neg(kernel.EFAULT), place{0, 5000}})},
	} {
		for j, y := range all {
			t.Run(name+"/"+y.String(), func(t *testing.T) {
				passes(t, func(k *kernel.Task) {
					b := newBoard(k, y, c.dir, seg{8, 5000})
					start := b.Offset
					ret := c.do(k, b)
					require.Equal(t, c.want[j], []any{ret, place{b.Offset - start, b.Count}})
				})
			})
		}
	}
}

// Gap alignment is the one that warns.
func TestGapAlignmentOfTypes(t *testing.T) {
	for y, want := range map[Type]uint64{ITER_UBUF: 0, ITER_IOVEC: 0, ITER_DMA_TOKEN: 0, ITER_KVEC: math.MaxUint32, ITER_BVEC: math.MaxUint32} {
		f := run(func(k *kernel.Task) { require.Equal(t, want, newBoard(k, y, in, seg{8, 5000}).GapAlignment(k)) })
		require.Equal(t, want != 0, f != nil, "%s", y)
	}
}

// The posted copy functions do as if: a buffered write of a token iterator leaves the page
// as it was and says that it is written; a buffered read gives nothing to the buffer.
func TestCopiesOfATokenMoveNothing(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		page := (&hw.Memory{}).Alloc(k.Task, "page cache", 1)
		hw.Fill(page, "old")
		b := newBoard(k, ITER_DMA_TOKEN, out, seg{0, 4096})
		require.EqualValues(t, 512, b.CopyPageFromIterAtomic(k, page, 512, 512))
		require.Equal(t, hw.Bytes("old", 0, 4096), hw.Peek(page, 0, 4096))
		require.EqualValues(t, 512, b.CopyPageFromIter(k, page, 512, 512))
		require.Equal(t, hw.Bytes("old", 0, 4096), hw.Peek(page, 0, 4096))
		require.Equal(t, at{0, 0, 3072}, b.at())

		b = newBoard(k, ITER_BVEC, out, seg{0, 4096})
		require.EqualValues(t, 512, b.CopyPageFromIterAtomic(k, page, 512, 512))
		require.Equal(t, hw.Concat(hw.Bytes("old", 0, 512), hw.Bytes("v0", 0, 512), hw.Bytes("old", 1024, 3072)), hw.Peek(page, 0, 4096))

		for _, y := range []Type{ITER_DMA_TOKEN, ITER_BVEC} {
			b = newBoard(k, y, in, seg{0, 4096})
			require.EqualValues(t, 100, b.CopyPageToIter(k, page, 0, 100))
			want := hw.Bytes("v0", 0, 100)
			if y == ITER_BVEC {
				want = hw.Bytes("old", 0, 100)
			}
			require.Equal(t, want, hw.Peek(b.pages[0], 0, 100))
		}
	})
}

// A short write is reverted by the part that the file system did not take. The offset of a
// token did not move when it was copied.
func TestRevertAfterCopyOfAToken(t *testing.T) {
	short := func(y Type, off uint64) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			b := newBoard(k, y, out, seg{off, 4096})
			before := b.at()
			_, n := b.CopyFromIter(k, 512)
			b.Revert(k, n)
			if b.at() != before {
				k.Fail("test", "%d bytes at %d", b.Count, b.Offset)
			}
		}
	}
	for _, y := range classic {
		passes(t, short(y, 0))
	}
	fails(t, sim.Bug, "iov_iter_revert by 512 bytes at offset 0", short(ITER_DMA_TOKEN, 0))
	fails(t, "test", "4096 bytes at 512", short(ITER_DMA_TOKEN, 1024))
}
