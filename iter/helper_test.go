package iter

import (
	"fmt"
	"testing"

	"dmasim/internal/simtest"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var (
	on                = simtest.On[*kernel.Task](kernel.Boot)
	passes, fails     = on.Passes, on.Fails
	always, sometimes = on.Always, on.Sometimes
	run               = on.Run
	classic           = []Type{ITER_UBUF, ITER_IOVEC, ITER_KVEC, ITER_BVEC}
	vectors           = []Type{ITER_IOVEC, ITER_KVEC, ITER_BVEC}
	all               = []Type{ITER_UBUF, ITER_IOVEC, ITER_KVEC, ITER_BVEC, ITER_DMA_TOKEN}
	in, out           = hw.FromDevice, hw.ToDevice
)

// The numbered cases of the package: var _ = conform(cases{...}).
type cases = simtest.Cases

var conform = simtest.Conform

func TestConformance(t *testing.T) { simtest.Conformance(t) }

// seg is a vector to be made: n bytes, the first one at off of its page.
type seg struct{ off, n uint64 }

// board is memory of one type, and an iterator over all of it.
type board struct {
	Iter
	memory hw.Memory
	mm     *Mm
	segs   []seg
	pages  [][]*hw.Page // of each vector
}

// base is the user address of a vector's first byte.
func (b *board) base(k int) uint64 { return uint64(k+1)<<20 + b.segs[k].off }

// newBoard makes memory of vectors that hold bytes of their own: "v0", "v1" and so on. UBUF
// and DMA_TOKEN have one.
func newBoard(k *kernel.Task, y Type, dir hw.Direction, segs ...seg) *board {
	b := &board{segs: segs, mm: NewMm(k, "user")}
	total := uint64(0)
	var iovecs []Iovec
	var kvecs []Kvec
	var bvecs []Bvec
	for j, s := range segs {
		n := int(s.off+s.n+hw.PageSize-1) / hw.PageSize
		pages := b.memory.Alloc(k.Task, "user", max(n, 1))
		hw.Fill(pages, fmt.Sprintf("v%d", j))
		b.pages = append(b.pages, pages)
		total += s.n
		if y == ITER_UBUF || y == ITER_IOVEC {
			b.mm.Mmap(k, uint64(j+1)<<20, pages, PROT_READ|PROT_WRITE)
		}
		iovecs = append(iovecs, Iovec{b.base(j), s.n})
		kvecs = append(kvecs, Lowmem(pages, s.off, s.n))
		bvecs = append(bvecs, Bvec{pages, uint32(s.off), uint32(s.n)})
	}
	switch y {
	case ITER_UBUF:
		b.Iter = Ubuf(k, dir, b.mm, b.base(0), segs[0].n)
	case ITER_IOVEC:
		b.Iter = Iovecs(k, dir, b.mm, iovecs, total)
	case ITER_KVEC:
		b.Iter = Kvecs(k, dir, kvecs, total)
	case ITER_BVEC:
		b.Iter = Bvecs(k, dir, bvecs, total)
	case ITER_DMA_TOKEN:
		b.Iter = DmaToken(k, &token.Use{Dir: dir, Off: segs[0].off, Len: segs[0].n})
	}
	return b
}

// each runs body for types, with a machine for each.
func each(t *testing.T, types []Type, body func(t *testing.T, k *kernel.Task, y Type)) {
	for _, y := range types {
		t.Run(y.String(), func(t *testing.T) { passes(t, func(k *kernel.Task) { body(t, k, y) }) })
	}
}
