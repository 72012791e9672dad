package iter

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// three is vectors with an empty one between.
var three = []seg{{100, 4096}, {0, 0}, {8, 5000}}

// at is where an iterator is.
type at struct {
	segs          int
	offset, count uint64
}

func (i *Iter) at() at { return at{i.NrSegs(), i.Offset, i.Count} }

func onProfile(p kernel.Profile, body func(k *kernel.Task)) func(k *kernel.Task) {
	return func(k *kernel.Task) {
		k.K.Profile = p
		body(k)
	}
}

var _ = conform(cases{
	{"C-IOV-01", func(t *testing.T) {
		for n, want := range map[uint64]at{
			0:    {3, 0, 9096},
			1:    {3, 1, 9095},
			4095: {3, 4095, 5001},
			4096: {1, 0, 5000}, // on the next vector that has something
			4097: {1, 1, 4999},
			9095: {1, 4999, 1},
			9096: {0, 0, 0},
			9097: {0, 0, 0},
			1e9:  {0, 0, 0},
		} {
			each(t, vectors, func(t *testing.T, k *kernel.Task, y Type) {
				b := newBoard(k, y, in, three...)
				b.Advance(n)
				require.Equal(t, want, b.at(), "advance by %d", n)
			})
		}
		each(t, []Type{ITER_UBUF}, func(t *testing.T, k *kernel.Task, y Type) {
			for n, want := range map[uint64]at{4095: {1, 4095, 1}, 4096: {1, 4096, 0}, 4097: {1, 4096, 0}} {
				b := newBoard(k, y, in, three[0])
				b.Advance(n)
				require.Equal(t, want, b.at(), "advance by %d", n)
			}
		})
		each(t, vectors, func(t *testing.T, k *kernel.Task, y Type) {
			b := newBoard(k, y, in, seg{0, 0}, seg{0, 8})
			b.Truncate(0)
			b.Advance(5)
			require.Equal(t, at{2, 0, 0}, b.at(), "with nothing left it stays, even on an empty vector")
		})
	}},
	{"C-IOV-02", func(t *testing.T) {
		each(t, vectors, func(t *testing.T, k *kernel.Task, y Type) {
			b := newBoard(k, y, in, three...)
			start := b.Iter
			for n := range uint64(9097) {
				b.Advance(n)
				b.Revert(k, n)
				require.Equal(t, start, b.Iter, "by %d", n)
			}
			b.Offset = 4096 // as somebody sets it who fills it by hand
			b.Count -= 4096
			b.Advance(1)
			b.Revert(k, 1)
			require.Equal(t, at{1, 0, 5000}, b.at(), "the same place, told in another way")
		})
		each(t, vectors, func(t *testing.T, k *kernel.Task, y Type) {
			b := newBoard(k, y, in, three...)
			b.Advance(9096)
			b.Revert(k, 5000)
			require.Equal(t, at{1, 0, 5000}, b.at())
			b.Revert(k, 1)
			require.Equal(t, at{3, 4095, 5001}, b.at())
		})
	}},
	{"C-IOV-03", func(t *testing.T) {
		for y, message := range map[Type]string{
			ITER_UBUF:      "iov_iter_revert by 11 bytes at offset 10",
			ITER_DMA_TOKEN: "iov_iter_revert by 11 bytes at offset 10",
			ITER_IOVEC:     "KASAN: slab-out-of-bounds in iov_iter_revert: vector -1 of 2 of an ITER_IOVEC iterator",
			ITER_KVEC:      "KASAN: slab-out-of-bounds in iov_iter_revert: vector -1 of 2",
			ITER_BVEC:      "KASAN: slab-out-of-bounds in iov_iter_revert: vector -1 of 2",
		} {
			revert := func(n uint64) func(k *kernel.Task) {
				return func(k *kernel.Task) {
					b := newBoard(k, y, in, seg{0, 100}, seg{0, 100})
					b.Advance(10)
					b.Revert(k, n)
				}
			}
			fails(t, sim.Bug, message, revert(11))
			passes(t, revert(10))
			fails(t, sim.Warn, "iov_iter_revert by 2147479553 bytes", revert(MaxRWCount+1))
		}
	}},
	{"C-IOV-04", func(t *testing.T) {
		each(t, vectors, func(t *testing.T, k *kernel.Task, y Type) {
			b := newBoard(k, y, in, three...)
			b.Advance(4000)
			start := b.Iter
			b.Truncate(10)
			require.Equal(t, at{3, 4000, 10}, b.at())
			b.Truncate(20)
			require.Equal(t, at{3, 4000, 10}, b.at(), "it never grows")
			b.Reexpand(5096)
			require.Equal(t, start, b.Iter)
			b.Truncate(200)
			b.Advance(150)
			b.Reexpand(b.Count + 4896)
			require.Equal(t, at{1, 54, 4946}, b.at(), "what was done meanwhile stays done")
		})
	}},
	{"C-IOV-05", func(t *testing.T) {
		each(t, classic, func(t *testing.T, k *kernel.Task, y Type) {
			b := newBoard(k, y, in, three...)
			for first := uint64(0); first < b.Count; first += 1000 {
				for second := uint64(0); second < 6000; second += 700 {
					i := b.Iter
					i.Advance(first)
					saved, start := i.Save(), i
					i.Advance(second)
					i.CopyToIter(k, hw.Bytes("x", 0, 300))
					i.Truncate(5)
					i.Restore(saved)
					require.Equal(t, start, i, "after %d and %d", first, second)
				}
			}
		})
	}},
	{"C-IOV-06", func(t *testing.T) {
		// The addresses are those of the offsets; which pages they are in does not matter.
		low := func(k *kernel.Task, i Iter, n uint64) uint64 {
			i.Truncate(n)
			return i.Alignment(k) & (hw.PageSize - 1)
		}
		body := func(p kernel.Profile) func(k *kernel.Task) {
			return onProfile(p, func(k *kernel.Task) {
				for _, y := range classic {
					used, later := uint64(100|0), uint64(104|4092)
					if y != ITER_UBUF { // 4096 bytes at 100, then 5000 at 8
						used, later = used|8|5000%4096, later|8|5000%4096
					}
					b := newBoard(k, y, in, three...)
					require.Equal(t, used, low(k, b.Iter, b.Count), "%s", y)
					require.EqualValues(t, 100|52, low(k, b.Iter, 52), "%s: what is not left does not count", y)
					empty := uint64(0)
					if p == kernel.V6_12 && y != ITER_UBUF {
						empty = 100
					}
					require.Equal(t, empty, low(k, b.Iter, 0), "%s: nothing left", y)
					b.Advance(4)
					require.Equal(t, later, low(k, b.Iter, b.Count), "%s: the offset counts", y)
				}
			})
		}
		for _, p := range []kernel.Profile{kernel.V6_12, kernel.RFCBase, kernel.V7_3} {
			passes(t, body(p))
		}
		each(t, vectors, func(t *testing.T, k *kernel.Task, y Type) {
			b := newBoard(k, y, in, seg{0, 512}, seg{3, 0}, seg{0, 512})
			want := map[Type]uint64{ITER_IOVEC: 512, ITER_KVEC: 512, ITER_BVEC: 512 | 3}[y]
			require.Equal(t, want, b.Alignment(k)&(hw.PageSize-1), "an empty range of addresses does not count; an empty bvec does")
		})
		beyond := func(k *kernel.Task) {
			b := newBoard(k, ITER_KVEC, in, seg{0, 512})
			b.Advance(512)
			require.Zero(t, b.Alignment(k))
		}
		fails(t, sim.Bug, "KASAN: slab-out-of-bounds in iov_iter_alignment: vector 1 of 1", onProfile(kernel.V6_12, beyond))
		passes(t, beyond)
	}},
	{"C-IOV-07", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			gap := func(v ...Iovec) uint64 {
				i := Iovecs(k, in, nil, v, 0)
				for _, v := range v {
					i.Count += v.Len
				}
				return i.GapAlignment(k)
			}
			require.Zero(t, gap(Iovec{0x1003, 5}), "first start and last end")
			require.Zero(t, gap(Iovec{0x1003, 0xffd}, Iovec{0x3000, 7})&0xfff)
			require.EqualValues(t, 0x2003|0x3000, gap(Iovec{0x1003, 0x1000}, Iovec{0x3000, 7}), "an end")
			require.EqualValues(t, 0x2000|0x3010, gap(Iovec{0x1000, 0x1000}, Iovec{0x3010, 7}), "a start")
			require.EqualValues(t, 0x2000|0x3010, gap(Iovec{0x1000, 0x1000}, Iovec{0x7777, 0}, Iovec{0x3010, 7}), "an empty one does not count")

			i := Iovecs(k, in, nil, []Iovec{{0x1000, 0x1000}, {0x3000, 0x10}, {0x5001, 0x10}}, 0x1010)
			require.EqualValues(t, 0x2000|0x3000, i.GapAlignment(k), "it ends with the count")
			i.Advance(4)
			require.EqualValues(t, 0x2000|0x3000, i.GapAlignment(k), "vectors count in full: what is left of the first one covers no second")
			require.Zero(t, newBoard(k, ITER_UBUF, in, seg{3, 9}).GapAlignment(k))
		})
		for _, y := range []Type{ITER_BVEC, ITER_KVEC} {
			fails(t, sim.Warn, "iov_iter_gap_alignment of an ITER_"+y.String()+" iterator", func(k *kernel.Task) {
				require.EqualValues(t, math.MaxUint32, newBoard(k, y, in, three...).GapAlignment(k))
			})
		}
	}},
	{"C-IOV-08", func(t *testing.T) {
		each(t, vectors, func(t *testing.T, k *kernel.Task, y Type) {
			b := newBoard(k, y, in, seg{4000, 96}, seg{0, 1}, seg{4095, 2})
			require.Equal(t, 4, b.Npages(k, 10))
			require.Equal(t, 3, b.Npages(k, 3))
			require.Equal(t, 0, b.Npages(k, 0))
			b.Advance(96)
			require.Equal(t, 3, b.Npages(k, 10))
			b.Truncate(2)
			require.Equal(t, 2, b.Npages(k, 10))
			b.Truncate(0)
			require.Equal(t, 0, b.Npages(k, 10))
		})
		passes(t, func(k *kernel.Task) {
			p := (&hw.Memory{}).Alloc(k.Task, "x", 1)
			i := Bvecs(k, in, []Bvec{{p, 0, 8}, {p, 8, 8}}, 16)
			require.Equal(t, 2, i.Npages(k, 10), "a page of two vectors counts twice")
			i = Bvecs(k, in, []Bvec{{p, 0, 8}, {p, 3, 0}, {p, 8, 8}}, 16)
			require.Equal(t, 3, i.Npages(k, 10), "an empty bvec counts, too, unless it begins a page")
			b := newBoard(k, ITER_UBUF, in, seg{4095, 4098})
			require.Equal(t, 3, b.Npages(k, 10))
			require.Equal(t, 2, b.Npages(k, 2))
			b.Advance(1)
			require.Equal(t, 2, b.Npages(k, 10))
		})
	}},
	{"C-IOV-09", func(t *testing.T) {
		each(t, vectors, func(t *testing.T, k *kernel.Task, y Type) {
			b := newBoard(k, y, in, seg{0, 0}, seg{0, 4}, seg{0, 0}, seg{0, 0}, seg{0, 4})
			b.Advance(1)
			require.Equal(t, at{4, 1, 7}, b.at())
			b.Advance(3)
			require.Equal(t, at{1, 0, 4}, b.at())
			copied := newBoard(k, y, in, seg{0, 4}, seg{0, 0}, seg{0, 4})
			require.EqualValues(t, 4, copied.CopyToIter(k, hw.Zeroes(4)))
			require.Equal(t, at{2, 0, 4}, copied.at(), "a copy ends on the vector after, empty or not")
			require.EqualValues(t, 4, copied.CopyToIter(k, hw.Zeroes(4)))
			require.Equal(t, at{0, 0, 0}, copied.at())
		})
	}},
	{"C-IOV-10", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			pages := (&hw.Memory{}).Alloc(k.Task, "x", 4)
			hw.Fill(pages, "x")
			i := Bvecs(k, out, []Bvec{{pages, 5000, 6000}}, 6000)
			i.Offset, i.Count = 100, 5900
			require.Equal(t, 2, i.Npages(k, 10))
			require.EqualValues(t, 5100|5900, i.Alignment(k), "the offset is not cut to the page")
			copied := i
			data, n := copied.CopyFromIter(k, 5900)
			require.EqualValues(t, 5900, n)
			require.Equal(t, hw.Bytes("x", 5100, 5900), data)
			got, off, size := i.ExtractPages(k, 4000, 10, 0)
			require.Equal(t, pages[1:3], got)
			require.EqualValues(t, 1004, off)
			require.EqualValues(t, 4000, size)
			got, off, size = i.ExtractPages(k, 4000, 1, 0)
			require.Equal(t, pages[2:3], got)
			require.EqualValues(t, 908, off)
			require.EqualValues(t, 1900, size)
		})
	}},
	{"C-IOV-11", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			b := newBoard(k, ITER_BVEC, in, three...)
			b.Advance(10)
			vecs, off := b.Vectors()
			require.Same(t, &b.bvecs[0], &vecs[0], "not even the table is copied")
			require.EqualValues(t, 10, off)
			_, _, n := b.ExtractPages(k, 100, 1, 0)
			require.EqualValues(t, 100, n)
			require.False(t, b.WillPin())
			require.Zero(t, b.mm.Pins(b.pages[0][0]))
		})
		// What nobody has a reference to can go while it is used: the same pages, by user
		// address and by vector.
		gone := func(y Type) func(k *kernel.Task) {
			return func(k *kernel.Task) {
				b := newBoard(k, ITER_UBUF, in, seg{0, 4096})
				if y == ITER_BVEC {
					b.Iter = Bvecs(k, in, []Bvec{{b.pages[0], 0, 4096}}, 4096)
				}
				pages, _, _ := b.ExtractPages(k, 4096, 1, 0)
				b.mm.Munmap(k, 1<<20, 4096)
				if pages[0].Owner != "user" {
					k.Fail(hw.StaleDMA, "the page is free")
				}
				if b.WillPin() {
					b.mm.Unpin(k, pages...)
					require.Empty(t, pages[0].Owner, "now it is free")
				}
			}
		}
		passes(t, gone(ITER_UBUF))
		fails(t, hw.StaleDMA, "the page is free", gone(ITER_BVEC))
	}},
	{"C-IOV-12", func(t *testing.T) {
		for _, y := range all {
			page := func(k *kernel.Task) []*hw.Page { return (&hw.Memory{}).Alloc(k.Task, "kernel", 1) }
			for call, copy := range map[string]func(k *kernel.Task, i *Iter) uint64{
				"copy_to_iter":      func(k *kernel.Task, i *Iter) uint64 { return i.CopyToIter(k, hw.Zeroes(9)) },
				"copy_page_to_iter": func(k *kernel.Task, i *Iter) uint64 { return i.CopyPageToIter(k, page(k), 0, 9) },
			} {
				wrongWay(t, y, out, in, call+": data comes from this iterator", copy)
			}
			for call, copy := range map[string]func(k *kernel.Task, i *Iter) uint64{
				"copy_from_iter":             func(k *kernel.Task, i *Iter) uint64 { _, n := i.CopyFromIter(k, 9); return n },
				"copy_page_from_iter_atomic": func(k *kernel.Task, i *Iter) uint64 { return i.CopyPageFromIterAtomic(k, page(k), 0, 9) },
			} {
				wrongWay(t, y, in, out, call+": data goes to this iterator", copy)
			}
		}
	}},
})

// wrongWay checks that a copy warns with one direction and does nothing, and copies with
// the other.
func wrongWay(t *testing.T, y Type, wrong, right hw.Direction, message string, copy func(k *kernel.Task, i *Iter) uint64) {
	fails(t, sim.Warn, message, func(k *kernel.Task) {
		b := newBoard(k, y, wrong, three...)
		before := b.at()
		require.Zero(t, copy(k, &b.Iter))
		require.Equal(t, before, b.at())
	})
	passes(t, func(k *kernel.Task) {
		b := newBoard(k, y, right, three...)
		require.EqualValues(t, 9, copy(k, &b.Iter))
	})
}
