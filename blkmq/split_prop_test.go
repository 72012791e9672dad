package blkmq

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/iter"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// drawLimits are limits as drivers might set them.
func drawLimits(t *rapid.T) Limits {
	lb := uint32(rapid.SampledFrom([]int{512, 4096}).Draw(t, "logical block"))
	l := Limits{
		LogicalBlock:   lb,
		PhysicalBlock:  lb << rapid.IntRange(0, 3).Draw(t, "physical block"),
		MaxHWSectors:   uint32(rapid.IntRange(8, 64).Draw(t, "max_hw_sectors")),
		ChunkSectors:   uint32(rapid.SampledFrom([]int{0, 0, 8, 16, 24, 256}).Draw(t, "chunk_sectors")),
		MaxSegments:    uint32(rapid.IntRange(1, 6).Draw(t, "max_segments")),
		MaxSegmentSize: uint32(rapid.SampledFrom([]int{0, 4096, 5120, 8192}).Draw(t, "max_segment_size")),
		SegBoundary:    rapid.SampledFrom([]uint64{0, 0xfff, 0x1fff}).Draw(t, "seg_boundary"),
		VirtBoundary:   rapid.SampledFrom([]uint64{0, 0, 0xfff}).Draw(t, "virt_boundary"),
		DmaAlignment:   uint32(rapid.SampledFrom([]int{3, 511}).Draw(t, "dma_alignment")),
	}
	return valid(t, l)
}

// drawVecs are vectors with blocks logical blocks in them.
func drawVecs(t *rapid.T, l Limits, blocks int) []iter.Bvec {
	unit := uint32(512)
	if l.DmaAlignment == 3 {
		unit = uint32(rapid.SampledFrom([]int{4, 512}).Draw(t, "unit"))
	}
	var out []iter.Bvec
	for left := uint32(blocks) * l.LogicalBlock; left > 0; {
		off := uint32(rapid.IntRange(0, int(4095/unit)).Draw(t, "offset")) * unit
		n := min(left, uint32(rapid.IntRange(1, int(12288/unit)).Draw(t, "length"))*unit)
		if len(out) == 7 {
			n = left
		}
		out = append(out, iter.Bvec{Pages: frames(uint64(len(out)+1)*0x1000, int(off+n+4095)/4096), Offset: off, Len: n})
		left -= n
	}
	return out
}

// sent is a request as the driver saw it, with its payload.
type sent struct {
	part
	vecs     []iter.Bvec
	off, len uint64 // of a token
}

// send submits the bio on a queue with the limits.
func send(t require.TestingT, l Limits, b *Bio) (out []sent, ended []kernel.Errno) {
	f := on.Run(func(k *kernel.Task) {
		d := newDisk(k, 512)
		d.Limits = l
		if b.Use != nil {
			b.Use = &d.use
		}
		b.EndIO = d.bio().EndIO
		d.driver.queue = func(_ *kernel.Task, rq *Request) {
			s := sent{part: part{rq.Sector, rq.Bytes, rq.Nsegs}, off: rq.Frag.Off, len: rq.Frag.Len}
			for v := range rq.Vecs {
				s.vecs = append(s.vecs, v)
			}
			out = append(out, s)
		}
		d.SubmitBio(k, b)
		d.driver.finish(k)
		ended = d.ended
	})
	require.Nil(t, f)
	return
}

// checkRange checks what every request obeys, whatever its payload: the sectors follow each
// other, and nothing is longer than it may be.
func checkRange(t require.TestingT, l Limits, sector uint64, got []sent) uint32 {
	var total uint32
	for _, s := range got {
		require.Equal(t, sector, s.sector, "in order, without a gap")
		require.NotZero(t, s.bytes)
		require.Zero(t, s.bytes%l.LogicalBlock)
		require.LessOrEqual(t, s.bytes, l.MaxSectors*sectorSize)
		last := s.sector + uint64(s.bytes/sectorSize) - 1
		if c := uint64(l.ChunkSectors); c != 0 {
			require.Equal(t, s.sector/c, last/c, "crosses a chunk")
		}
		total += s.bytes
		sector = last + 1
	}
	return total
}

// bytesOf are the addresses of the bytes of vectors, as ranges that are put together where
// they meet.
func bytesOf(vs []iter.Bvec) (out [][2]uint64) {
	for _, v := range vs {
		if n := len(out); n > 0 && out[n-1][1] == v.Phys() {
			out[n-1][1] += uint64(v.Len)
		} else {
			out = append(out, [2]uint64{v.Phys(), v.Phys() + uint64(v.Len)})
		}
	}
	return
}

// segmentsOf counts the segments of vectors byte by byte of boundaries.
func segmentsOf(l Limits, vs []iter.Bvec) (n uint32) {
	for _, v := range vs {
		at, end := v.Phys(), v.Phys()+uint64(v.Len)
		for at < end {
			n++
			at = min(end, at+uint64(l.MaxSegmentSize), (at/(l.SegBoundary+1)+1)*(l.SegBoundary+1))
		}
	}
	return
}

// Every request of a bio with vectors obeys all limits; together they are the bio, once.
func TestSplitVectors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLimits(t)
		vs := drawVecs(t, l, rapid.IntRange(1, 12).Draw(t, "blocks"))
		b := bioOf(vs)
		b.Sector = uint64(rapid.IntRange(0, 30).Draw(t, "block")) * uint64(l.LogicalBlock/sectorSize)
		sector, size := b.Sector, b.Size
		got, ended := send(t, l, b)
		checkVectors(t, l, vs, sector, size, got, ended)
	})
}

func checkVectors(t require.TestingT, l Limits, vs []iter.Bvec, sector uint64, size uint32, got []sent, ended []kernel.Errno) {
	var all []iter.Bvec
	total := checkRange(t, l, sector, got)
	for _, s := range got {
		need := segmentsOf(l, s.vecs)
		require.LessOrEqual(t, need, l.MaxSegments)
		require.LessOrEqual(t, need, s.nsegs, "of what was there before the size was rounded")
		var n uint32
		for j, v := range s.vecs {
			n += v.Len
			if j > 0 && l.VirtBoundary != 0 {
				p := s.vecs[j-1]
				require.Zero(t, (uint64(v.Offset)|uint64(p.Offset+p.Len))&l.VirtBoundary, "a gap")
			}
		}
		require.Equal(t, s.bytes, n)
		all = append(all, s.vecs...)
	}
	require.Len(t, ended, 1)
	if ended[0] == kernel.OK {
		require.Equal(t, size, total)
		require.Equal(t, bytesOf(vs), bytesOf(all))
		return
	}
	require.Equal(t, kernel.EINVAL, ended[0])
	require.Less(t, total, size)
}

// pagesOf is the number of pages of a buffer that a range is in: what a device has to be
// told.
func pagesOf(off, n uint64) uint32 {
	return uint32((off%hw.PageSize + n + hw.PageSize - 1) / hw.PageSize)
}

// drawToken is a bio with a token on limits.
func drawToken(t *rapid.T) (Limits, *Bio) {
	l := drawLimits(t)
	unit := l.DmaAlignment + 1
	b := &Bio{Use: &token.Use{}, Flags: REQ_NOMERGE}
	b.Sector = uint64(rapid.IntRange(0, 30).Draw(t, "block")) * uint64(l.LogicalBlock/sectorSize)
	b.Done = uint32(rapid.IntRange(0, int(16384/unit)).Draw(t, "offset")) * unit
	b.Size = uint32(rapid.IntRange(1, 24).Draw(t, "blocks")) * l.LogicalBlock
	return l, b
}

// Together the requests of a bio with a token are its range, once, and within limits of
// length; of segments see TestPostedTokenSegments. If the bio fails, what was sent before is
// the beginning of it.
func TestSplitTokens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, b := drawToken(t)
		was := *b
		got, ended := send(t, l, b)
		total := checkRange(t, l, was.Sector, got)
		at := uint64(was.Done)
		for _, s := range got {
			require.Equal(t, at, s.off)
			require.EqualValues(t, s.bytes, s.len)
			at += s.len
			// The number of segments is never too high.
			require.LessOrEqual(t, s.nsegs, pagesOf(s.off, s.len))
		}
		require.Len(t, ended, 1)
		if ended[0] == kernel.OK {
			require.Equal(t, was.Size, total)
			return
		}
		require.Equal(t, kernel.EINVAL, ended[0])
		// That happens only where a block has more pages than a request may have.
		require.Greater(t, pagesOf(at, uint64(l.LogicalBlock)), l.MaxSegments)
	})
}

// What is wrong with BIO-4 as posted: a bio that is too long for the byte limit is cut there
// without a look at the segments, and those are counted with the last, incomplete page left
// out.
func TestPostedTokenSegments(t *testing.T) {
	for name, c := range map[string]struct {
		l                  Limits
		sector             uint64
		offset, size       uint32
		bytes, nsegs, need uint32 // of the first request
	}{
		// 4096 bytes at offset 512 are in two pages.
		"one too few": {Limits{MaxHWSectors: 8}, 0, 512, 8192, 4096, 1, 2},
		// A request without segments gets no data pointers from the driver (NV-0).
		"none":                       {Limits{ChunkSectors: 8}, 1, 0, 4096, 3584, 0, 1},
		"none, at the end of a page": {Limits{ChunkSectors: 8}, 7, 3584, 4096, 512, 1, 1},
		// Three pages where the device takes two, and it is not said either.
		"more than the device takes":                 {Limits{MaxHWSectors: 16, MaxSegments: 2}, 0, 512, 12288, 8192, 2, 3},
		"more than the device takes, and it says so": {Limits{MaxHWSectors: 32, MaxSegments: 2}, 0, 0, 32768, 16384, 4, 4},
	} {
		t.Run(name, func(t *testing.T) {
			l := valid(t, c.l)
			b := &Bio{Use: &token.Use{}, BvecIter: BvecIter{Sector: c.sector, Done: c.offset, Size: c.size}}
			got, _ := send(t, l, b)
			require.Equal(t, c.bytes, got[0].bytes)
			require.Equal(t, c.nsegs, got[0].nsegs)
			require.Equal(t, c.need, pagesOf(got[0].off, got[0].len))
		})
	}
}

// The splitter sees the length of a token bio nowhere against the mask of the device: with
// vectors the same range fails (BIO-4, where the mask is laid on a length of 0).
func TestPostedTokenLength(t *testing.T) {
	l := valid(t, Limits{LogicalBlock: 512, DmaAlignment: 1023})
	tok := &Bio{Use: &token.Use{}, BvecIter: BvecIter{Size: 512}}
	require.Equal(t, fit{nsegs: 1}, l.cut(tok, kernel.V7_3, 0))
	require.Equal(t, kernel.EINVAL, l.cut(bioOf(vecs([2]uint32{0, 512})), kernel.V7_3, 0).err)
}

func FuzzSplit(f *testing.F) {
	f.Add(uint64(0), uint32(512), uint32(8192), uint16(8), uint16(0), uint8(2), uint8(0), true, uint64(0))
	f.Add(uint64(7), uint32(4), uint32(65536), uint16(255), uint16(24), uint8(1), uint8(3), false, uint64(0x1234_5678_9abc_def0))
	f.Fuzz(func(t *testing.T, sector uint64, offset, size uint32, maxSectors, chunk uint16, segs, shift uint8, tok bool, shape uint64) {
		l := Limits{
			MaxHWSectors: uint32(maxSectors), ChunkSectors: uint32(chunk), MaxSegments: uint32(segs), DmaAlignment: 3,
			LogicalBlock: 512 << (shift & 3), PhysicalBlock: 512 << (shift >> 2 & 7),
			MaxSegmentSize: uint32(shape>>48) &^ 3, SegBoundary: 0xffff >> (shape >> 32 & 15), VirtBoundary: shape >> 16 & 0xfff,
		}
		if l.VirtBoundary != 0 {
			l.VirtBoundary = 0xfff
		}
		var err kernel.Errno
		if on.Run(func(k *kernel.Task) { err = l.Validate(k) }) != nil || err != kernel.OK {
			return
		}
		lb := l.LogicalBlock
		if l.ChunkSectors%(lb/sectorSize) != 0 {
			return
		}
		size = size % (64 << 10) / lb * lb
		sector = sector % 1024 / uint64(lb/sectorSize) * uint64(lb/sectorSize)
		if size == 0 {
			return
		}
		if tok {
			b := &Bio{Use: &token.Use{}, BvecIter: BvecIter{Sector: sector, Done: offset % (1 << 20) &^ 3, Size: size}}
			got, _ := send(t, l, b)
			checkRange(t, l, sector, got)
			return
		}
		var vs []iter.Bvec
		for left := size; left > 0; shape = shape>>5 | shape<<59 {
			n := min(left, 4*(1+uint32(shape&0x7ff)))
			vs = append(vs, iter.Bvec{Pages: frames(uint64(len(vs)+1)*0x1000, 4), Offset: uint32(shape>>11&0x3ff) * 4, Len: n})
			left -= n
		}
		b := bioOf(vs)
		b.Sector = sector
		got, ended := send(t, l, b)
		checkVectors(t, l, vs, sector, size, got, ended)
	})
}
