package hw

import "encoding/binary"

// Bytes makes the contents, for whoever wants to look at them. Equal data has equal
// bytes; bytes from different places differ as random ones do.
func (d Data) Bytes() []byte {
	b := make([]byte, 0, d.Len())
	for _, r := range d {
		b = r.bytes(b)
	}
	return b
}

func (r Run) bytes(b []byte) []byte {
	var w [8]byte
	seed := r.seed()
	for i := uint64(0); i < uint64(r.Len); {
		at := i
		if r.Source != "" && r.Source != literal {
			at += r.Byte
		}
		binary.LittleEndian.PutUint64(w[:], r.eight(seed, at/8))
		n := min(8-at%8, uint64(r.Len)-i)
		b = append(b, w[at%8:at%8+n]...)
		i += n
	}
	return b
}

// eight are eight bytes of the run's source, in little-endian order: those from 8*i on.
func (r Run) eight(seed, i uint64) uint64 {
	switch r.Source {
	case "":
		return 0
	case literal:
		return r.Byte
	}
	return scramble(scramble(seed^uint64(r.Gen)) ^ i)
}

// seed tells sources apart.
func (r Run) seed() uint64 {
	h := uint64(14695981039346656037)
	for i := range len(r.Source) {
		h = (h ^ uint64(r.Source[i])) * 1099511628211
	}
	return scramble(h)
}

// scramble maps numbers to numbers, one to one, without a pattern.
func scramble(v uint64) uint64 {
	v += 0x9e3779b97f4a7c15
	v = (v ^ v>>30) * 0xbf58476d1ce4e5b9
	v = (v ^ v>>27) * 0x94d049bb133111eb
	return v ^ v>>31
}

// word is the little-endian value of the next eight bytes of the cursor.
func (c *cursor) word() uint64 {
	v := uint64(0)
	for at := uint32(0); at < 8; {
		r := c.next(int(8 - at))
		if r.Len == 0 {
			break
		}
		v |= r.low() << (8 * at)
		at += r.Len
	}
	return v
}

// low is the value of a run of at most eight bytes.
func (r Run) low() uint64 {
	if r.Source == "" || r.Source == literal {
		return r.value()
	}
	seed, in := r.seed(), r.Byte%8
	v := r.eight(seed, r.Byte/8) >> (8 * in)
	if in > 0 {
		v |= r.eight(seed, r.Byte/8+1) << (64 - 8*in)
	}
	return v & (1<<(8*r.Len) - 1)
}
