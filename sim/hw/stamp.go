package hw

import (
	"encoding/binary"
	"fmt"
)

// SectorSize is the unit in which contents are kept, in bytes.
const SectorSize = 512

// Stamp says where the contents of one sector come from: the Block-th sector that
// Source ever held, in the Gen-th version. Equal stamps mean equal bytes, different
// stamps different bytes.
type Stamp struct {
	Source string
	Block  uint64
	Gen    uint32
}

func (s Stamp) String() string {
	if s.Source == "" {
		return "zeroes"
	}
	return fmt.Sprintf("%s[%d] v%d", s.Source, s.Block, s.Gen)
}

// Bytes makes the contents.
func (s Stamp) Bytes() []byte {
	b := make([]byte, SectorSize)
	if s.Source == "" {
		return b
	}
	h := uint64(14695981039346656037)
	for _, c := range []byte(s.Source) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	for _, v := range []uint64{s.Block, uint64(s.Gen)} {
		h = (h ^ v) * 0x9e3779b97f4a7c15
		h ^= h >> 29
	}
	for i := 0; i < len(b); i += 8 {
		h ^= h << 13
		h ^= h >> 7
		h ^= h << 17
		binary.LittleEndian.PutUint64(b[i:], h)
	}
	return b
}
