package blkmq

import (
	"dmasim/iter"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// fit is what the splitter says of a bio: how many bytes of it fit, all if bytes is 0, and
// in how many segments.
type fit struct {
	bytes, nsegs uint32
	err          kernel.Errno
}

// cut finds out where a bio has to be split (__bio_split_to_limits, without the split).
func (l *Limits) cut(b *Bio, p kernel.Profile, on token.Fix) fit {
	switch b.Op {
	case REQ_OP_READ, REQ_OP_WRITE:
		if b.Use != nil {
			return l.cutToken(b, p, on)
		}
		if !l.mayNeedSplit(b, p) {
			return fit{nsegs: 1}
		}
		return l.cutVecs(b, p)
	case REQ_OP_WRITE_ZEROES:
		if n := l.maxIO(b); n != 0 && b.Size > n {
			return fit{bytes: n}
		}
	}
	return fit{}
}

// mayNeedSplit is bio_may_need_split. It looks at the vector, and not at the part of it
// that is left. In 6.18 it does not ask a single one that is short enough for its alignment.
func (l *Limits) mayNeedSplit(b *Bio, p kernel.Profile) bool {
	if l.ChunkSectors != 0 || b.cloned || len(b.Vecs) != 1 {
		return true
	}
	v := b.Vecs[0]
	if p == kernel.V6_12 {
		return v.Offset+v.Len > pageSize
	}
	if p >= kernel.V7_3 && (v.Offset|v.Len)&l.DmaAlignment != 0 {
		return true
	}
	return v.Offset+v.Len > l.maxFastSegment
}

// cutVecs is bio_split_rw_at, later bio_split_io_at. Until 6.12 alignment to DMA is tested
// by whoever makes the bio.
func (l *Limits) cutVecs(b *Bio, p kernel.Profile) fit {
	var f fit
	maxBytes, fast := l.maxIO(b), l.maxFastSegment
	if p == kernel.V6_12 {
		fast = pageSize
	}
	var prev iter.Bvec
	for v := range b.Bvecs {
		if p != kernel.V6_12 && (v.Offset|v.Len)&l.DmaAlignment != 0 {
			return fit{err: kernel.EINVAL}
		}
		if prev.Len > 0 && l.gap(prev, v) {
			return l.split(b, f, p)
		}
		if f.nsegs < l.MaxSegments && uint64(f.bytes)+uint64(v.Len) <= uint64(maxBytes) && v.Offset+v.Len <= fast {
			f.nsegs++
			f.bytes += v.Len
		} else if l.cutVec(v, &f, maxBytes) {
			return l.split(b, f, p)
		}
		prev = v
	}
	return fit{nsegs: f.nsegs}
}

// gap is bvec_gap_to_prev: the device could not describe prev and next in one command.
func (l *Limits) gap(prev, next iter.Bvec) bool {
	return l.VirtBoundary != 0 && (uint64(next.Offset)|(uint64(prev.Offset)+uint64(prev.Len)))&l.VirtBoundary != 0
}

// cutVec is bvec_split_segs: takes as many segments of the vector as fit, and tells whether
// something of it is left.
func (l *Limits) cutVec(v iter.Bvec, f *fit, maxBytes uint32) bool {
	most := maxBytes - f.bytes
	left, taken := min(v.Len, most), uint32(0)
	for left > 0 && f.nsegs < l.MaxSegments {
		n := l.segment(v.Phys()+uint64(taken), left)
		f.nsegs++
		taken += n
		left -= n
		if uint64(v.Offset+taken)&l.VirtBoundary != 0 {
			break
		}
	}
	f.bytes += taken
	return left > 0 || v.Len > most
}

// segment is get_max_segment_size: the bytes from phys on that one segment may have.
func (l *Limits) segment(phys uint64, n uint32) uint32 {
	return uint32(min(uint64(n)-1, l.SegBoundary-l.SegBoundary&phys, uint64(l.MaxSegmentSize)-1) + 1)
}

// split ends the search with a split after f.bytes, if there may be one.
func (l *Limits) split(b *Bio, f fit, p kernel.Profile) fit {
	if b.Flags&REQ_ATOMIC != 0 {
		return fit{err: kernel.EINVAL}
	}
	if b.Nowait() {
		return fit{err: kernel.EAGAIN}
	}
	f.bytes -= f.bytes % l.LogicalBlock
	if f.bytes == 0 && p != kernel.V6_12 { // in 6.12 the bio goes on as it is
		return fit{err: kernel.EINVAL}
	}
	b.Flags &^= REQ_POLLED
	return f
}

// cutToken is BIO-4: where a token bio is split. The arithmetic is the posted one, in the
// posted types; what looks wrong here is as posted, unless it is repaired.
func (l *Limits) cutToken(b *Bio, p kernel.Profile, on token.Fix) fit {
	maxBytes := l.maxIO(b)
	var bytes uint32
	if on.Has(token.FixCheckLength) {
		bytes = b.Size
	}
	offset := int32(b.Done % pageSize)
	nsegs := roundUp(b.Size+uint32(offset), pageSize) / pageSize
	if uint32(offset)&l.DmaAlignment != 0 || bytes&l.DmaAlignment != 0 {
		return fit{err: kernel.EINVAL}
	}
	if most := uint64(pageSize)*uint64(l.MaxSegments) - uint64(offset); on.Has(token.FixLimitSegments) && uint64(maxBytes) > most {
		maxBytes = uint32(most)
	}
	switch {
	case b.Size > maxBytes:
		bytes = maxBytes
		nsegs = (bytes + uint32(offset)) / pageSize
	case nsegs > l.MaxSegments:
		nsegs = l.MaxSegments
		bytes = uint32(pageSize*uint64(nsegs) - uint64(offset))
	default:
		return fit{nsegs: nsegs}
	}
	f := l.split(b, fit{bytes: bytes, nsegs: nsegs}, p)
	if on.Has(token.FixCountSegments) && f.err == kernel.OK {
		f.nsegs = roundUp(f.bytes+uint32(offset), pageSize) / pageSize
	}
	return f
}

// roundUp is round_up: to a multiple of a power of two, in 32 bits.
func roundUp(n, to uint32) uint32 { return ((n - 1) | (to - 1)) + 1 }

// SplitToLimits is bio_split_to_limits: returns the front that fits, with its number of
// segments, and submits the rest, which is chained to as parent. nil means that the bio
// has ended.
func (q *Queue) SplitToLimits(t *kernel.Task, b *Bio) (*Bio, uint32) {
	f := q.Limits.cut(b, t.K.Profile, token.Repairs(t))
	if b.Use != nil {
		t.Mark("BIO-4")
	}
	if f.err != kernel.OK {
		if b.Use != nil {
			t.Mark("BIO-4 " + f.err.String())
			t.Stressf("BIO-4", "bio ends with %v", f.err)
		}
		b.End(t, kernel.BlkStatusOf(f.err))
		return nil, 0
	}
	if f.bytes == 0 {
		return b, f.nsegs
	}
	front := q.Split(t, b, f.bytes)
	if front.Use != nil {
		t.Mark("BIO-4 split")
		t.Stressf("BIO-4", "split after %d bytes, %d segment(s)", front.Size, f.nsegs)
	}
	front.Flags |= REQ_NOMERGE
	front.Chain(t, b)
	q.resubmit(t, b)
	return front, f.nsegs
}

// Split is bio_split: a new bio for the first bytes, and the rest for b. It sleeps if the
// reserve of bios is all that is left and in use, and never fails.
func (q *Queue) Split(t *kernel.Task, b *Bio, bytes uint32) *Bio {
	bytes -= bytes % sectorSize
	if bytes == 0 || bytes >= b.Size && b.Op.data() {
		t.BUG("bio_split after %d of %d bytes", bytes, b.Size)
	}
	front := &Bio{Op: b.Op, Flags: b.Flags, BvecIter: b.BvecIter, Vecs: b.Vecs, Use: b.Use, Queue: b.Queue, cloned: true, remapped: b.remapped}
	if t.K.Exhausted() {
		q.bios.Alloc(t, kernel.GFP_NOIO, &front.mem)
	} else {
		t.MightAlloc(kernel.GFP_NOIO, "bio")
	}
	front.Size = bytes
	b.Advance(t, bytes)
	if b.Use != nil {
		t.Mark("BIO-2")
		b.carve(t, front)
	}
	return front
}
