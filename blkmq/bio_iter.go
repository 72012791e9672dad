package blkmq

import (
	"dmasim/iter"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// BvecIter is struct bvec_iter: a position in a payload that it does not change. Bios that
// share a table of vectors have an iterator each.
type BvecIter struct {
	// Sector is bi_sector: the first sector on the device.
	Sector uint64
	// Size is bi_size: the bytes that are left.
	Size uint32
	// Idx is bi_idx: the current vector.
	Idx uint32
	// Done is bi_bvec_done, or bi_offset: the bytes of the current vector that are done
	// with. With a token it is the offset in the token's buffer.
	Done uint32
}

// Bvec is bvec_iter_bvec: what is left of the current vector.
func (i *BvecIter) Bvec(vecs []iter.Bvec) iter.Bvec {
	v := vecs[i.Idx]
	return iter.Bvec{Pages: v.Pages, Offset: v.Offset + i.Done, Len: min(v.Len-i.Done, i.Size)}
}

// advance is bvec_iter_advance: false if there are not so many bytes.
func (i *BvecIter) advance(vecs []iter.Bvec, n uint32) bool {
	if n > i.Size {
		i.Size = 0
		return false
	}
	i.Size -= n
	n += i.Done
	for n > 0 && n >= vecs[i.Idx].Len {
		n -= vecs[i.Idx].Len
		i.Idx++
	}
	i.Done = n
	return true
}

// Advance is bio_advance: the first n bytes are done with.
func (b *Bio) Advance(t *kernel.Task, n uint32) {
	b.Sector += uint64(n / hw.SectorSize)
	switch {
	case b.Use != nil:
		t.Mark("BIO-3")
		b.Done += n
		b.Size -= n
	case !b.Op.data():
		b.Size -= n
	case !b.BvecIter.advance(b.Vecs, n):
		t.Warn("Attempted to advance past end of bvec iter: %d bytes of a bio of sector %d", n, b.Sector-uint64(n/hw.SectorSize))
	}
}

// Bvecs yields what is left of the vectors of a bio with such a payload
// (bio_for_each_bvec).
func (b *Bio) Bvecs(yield func(iter.Bvec) bool) { b.bvecs(yield) }

func (b *Bio) bvecs(yield func(iter.Bvec) bool) bool {
	if b.Use != nil || !b.Op.data() {
		return true
	}
	for i := b.BvecIter; i.Size > 0; {
		v := i.Bvec(b.Vecs)
		if v.Len > 0 && !yield(v) {
			return false
		}
		if v.Len == 0 { // an empty vector in the middle
			i.Idx, i.Done = i.Idx+1, 0
			continue
		}
		i.advance(b.Vecs, v.Len)
	}
	return true
}
