package blkmq

import (
	"math"
	"strconv"

	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

const (
	pageSize   = hw.PageSize
	sectorSize = hw.SectorSize
)

// Limits is struct queue_limits. What is zero gets a default.
type Limits struct {
	// LogicalBlock and PhysicalBlock are sizes in bytes.
	LogicalBlock, PhysicalBlock uint32
	// MaxHWSectors is what the device can do in one request, MaxUserSectors what somebody
	// wants it to do at most; MaxSectors follows from both.
	MaxHWSectors, MaxUserSectors, MaxSectors uint32
	// ChunkSectors is the distance of the boundaries that no request crosses.
	ChunkSectors uint32
	// MaxWriteZeroesSectors is zero if the device knows no WRITE_ZEROES.
	MaxWriteZeroesSectors uint32
	MaxSegments           uint32
	MaxSegmentSize        uint32
	// SegBoundary is a mask: no segment crosses such a boundary.
	SegBoundary uint64
	// VirtBoundary is a mask: segments in the middle begin and end at such a boundary.
	VirtBoundary uint64
	// DmaAlignment is a mask for addresses and lengths of vectors.
	DmaAlignment uint32

	maxFastSegment uint32
}

const (
	safeMaxSectors    = 255     // BLK_SAFE_MAX_SECTORS
	maxSegments       = 128     // BLK_MAX_SEGMENTS
	maxSegmentSize    = 1 << 16 // BLK_MAX_SEGMENT_SIZE
	pageSectors       = pageSize / sectorSize
	defaultMaxSectors = 4 << 20 / sectorSize // BLK_DEF_MAX_SECTORS_CAP
	maxSectorsOf6_12  = 1280 << 10 / sectorSize
)

// Validate is blk_validate_limits: fills in what is missing, and caps what is too large.
// Limits that no driver may set give -EINVAL, most with a warning.
func (l *Limits) Validate(t *kernel.Task) kernel.Errno {
	if l.LogicalBlock == 0 {
		l.LogicalBlock = sectorSize
	}
	if l.LogicalBlock < sectorSize || l.LogicalBlock&(l.LogicalBlock-1) != 0 {
		return kernel.EINVAL
	}
	l.PhysicalBlock = max(l.PhysicalBlock, l.LogicalBlock)
	if l.MaxHWSectors == 0 {
		l.MaxHWSectors = safeMaxSectors
	}
	block := l.LogicalBlock / sectorSize
	if l.MaxHWSectors < pageSectors || block > l.MaxHWSectors {
		t.Warn("queue limits: max_hw_sectors %d", l.MaxHWSectors)
		return kernel.EINVAL
	}
	l.MaxHWSectors -= l.MaxHWSectors % block
	want := uint32(defaultMaxSectors)
	if t.K.Profile == kernel.V6_12 {
		want = maxSectorsOf6_12
	}
	if l.MaxUserSectors != 0 {
		if want = l.MaxUserSectors; want < pageSectors {
			return kernel.EINVAL
		}
	}
	l.MaxSectors = min(l.MaxHWSectors, want)
	l.MaxSectors -= l.MaxSectors % block
	if l.MaxSegments == 0 {
		l.MaxSegments = maxSegments
	}
	if l.SegBoundary == 0 {
		l.SegBoundary = math.MaxUint32
	}
	if l.SegBoundary < pageSize-1 {
		t.Warn("queue limits: seg_boundary_mask %#x", l.SegBoundary)
		return kernel.EINVAL
	}
	if l.MaxSegmentSize == 0 {
		l.MaxSegmentSize = maxSegmentSize
		if l.VirtBoundary != 0 {
			l.MaxSegmentSize = math.MaxUint32
		}
	}
	if l.VirtBoundary == 0 && l.MaxSegmentSize < pageSize {
		t.Warn("queue limits: max_segment_size %d", l.MaxSegmentSize)
		return kernel.EINVAL
	}
	if l.DmaAlignment == 0 {
		l.DmaAlignment = sectorSize - 1
	}
	if l.DmaAlignment > pageSize {
		t.Warn("queue limits: dma_alignment %#x", l.DmaAlignment)
		return kernel.EINVAL
	}
	l.maxFastSegment = uint32(min(uint64(l.MaxSegmentSize), l.SegBoundary+1, pageSize))
	return kernel.OK
}

// maxIO is get_max_io_size: the bytes that a request which begins with the bio may have.
// They end at a physical block if anything is left then.
func (l *Limits) maxIO(b *Bio) uint32 {
	sectors := l.MaxSectors
	if b.Op == REQ_OP_WRITE_ZEROES {
		sectors = l.MaxWriteZeroesSectors
	}
	if c := uint64(l.ChunkSectors); c != 0 {
		sectors = uint32(min(uint64(sectors), c-b.Sector%c))
	}
	physical, logical := l.PhysicalBlock/sectorSize, l.LogicalBlock/sectorSize
	start := uint32(b.Sector) & (physical - 1)
	if end := (start + sectors) &^ (physical - 1); end > start {
		return (end - start) * sectorSize
	}
	return (sectors &^ (logical - 1)) * sectorSize
}

func numbered(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}
