package nvmesim

import (
	"slices"

	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// Types of SGL descriptors, in the last byte; the subtype, below, is 0 for an address.
const (
	sglData        = 0x00
	sglSegment     = 0x20
	sglLastSegment = 0x30
)

const (
	descriptorSize = 16
	// maxDescriptors is how many descriptors a controller reads for a command.
	maxDescriptors = 4096
)

// descriptor makes the second word of an SGL descriptor; the first is the address.
func descriptor(typ uint8, length int) uint64 { return uint64(uint32(length)) | uint64(typ)<<56 }

// sgl appends one segment for every data block. The descriptor in the command is a data
// block, or leads to a segment of descriptors. The last descriptor of a segment leads to
// the next one; those of a last segment are data blocks all.
func (w *walker) sgl(t *kernel.Task, addr, word uint64, length int, segs []hw.Segment) ([]hw.Segment, Status) {
	if uint8(word>>56) == sglData {
		if int(uint32(word)) != length {
			return segs, InvalidSGLLength | DNR
		}
		return append(segs, hw.Segment{Addr: hw.BusAddr(addr), Len: length}), Success
	}
	w.visited = w.visited[:0]
	rest, count := length, 0
	for {
		typ, size := uint8(word>>56), int(uint32(word))
		switch {
		case typ != sglSegment && typ != sglLastSegment:
			return segs, InvalidSGLType | DNR
		case size == 0, size%descriptorSize != 0, addr%8 != 0, slices.Contains(w.visited, addr):
			return segs, InvalidSGLSegment | DNR
		}
		w.visited = append(w.visited, addr)
		n := size / descriptorSize
		if count += n; count > maxDescriptors {
			return segs, InvalidSGLCount | DNR
		}
		for n > 0 {
			k := min(n, len(w.entries.page())/2)
			if s := w.read(t, addr, w.entries[:2*k]); s != Success {
				return segs, s
			}
			n -= k
			data := k
			if n == 0 && typ == sglSegment {
				data--
			}
			for i := range data {
				at, word := w.entries[2*i], w.entries[2*i+1]
				switch {
				case uint8(word>>56) != sglData:
					return segs, InvalidSGLType | DNR
				case int(uint32(word)) > rest:
					return segs, InvalidSGLLength | DNR
				case uint32(word) != 0:
					segs = append(segs, hw.Segment{Addr: hw.BusAddr(at), Len: int(uint32(word))})
					rest -= int(uint32(word))
				}
			}
			if n == 0 && data < k {
				addr, word = w.entries[2*data], w.entries[2*data+1]
				break
			}
			addr += uint64(k) * descriptorSize
		}
		if typ == sglLastSegment {
			if rest != 0 {
				return segs, InvalidSGLLength | DNR
			}
			return segs, Success
		}
	}
}
