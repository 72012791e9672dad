package hw

import (
	"fmt"
	"math"
	"math/bits"
	"strings"
)

// Run is a range of bytes that belong together: bytes Byte to Byte+Len of all that
// Source ever held, in the Gen-th version. Without a source they are zeroes.
//
// A byte of a source equals itself and nothing else: what is compared is where bytes
// come from.
type Run struct {
	Source string
	Byte   uint64
	Gen    uint32
	Len    uint32
}

// literal is the source of bytes that have a value and come from nowhere: at most eight,
// in Byte, the first one lowest. They are never all zero.
const literal = "\x00literal"

// cut is n bytes of the run from off on.
func (r Run) cut(off, n uint32) Run {
	switch r.Source {
	case "":
		return Run{Len: n}
	case literal:
		return word(r.Byte>>(8*off), n)
	}
	return Run{r.Source, r.Byte + uint64(off), r.Gen, n}
}

// word is a run of the n lowest bytes of v, n up to 8.
func word(v uint64, n uint32) Run {
	if v &= math.MaxUint64 >> (64 - 8*n); v == 0 {
		return Run{Len: n}
	}
	return Run{literal, v, 0, n}
}

// diff is the first byte in which two runs of one length, as cut makes them, differ; -1
// for none.
func (r Run) diff(s Run) int {
	switch {
	case r == s:
		return -1
	case r.Source != "" && r.Source != literal, s.Source != "" && s.Source != literal:
		return 0
	}
	return bits.TrailingZeros64(r.value()^s.value()) / 8
}

// value is what a literal has in it; that of zeroes is 0.
func (r Run) value() uint64 {
	if r.Source == literal {
		return r.Byte
	}
	return 0
}

func (r Run) String() string {
	switch r.Source {
	case "":
		return fmt.Sprintf("%d zeroes", r.Len)
	case literal:
		return fmt.Sprintf("%x", r.bytes(nil))
	}
	s := fmt.Sprintf("%s[%d..%d]", r.Source, r.Byte, r.Byte+uint64(r.Len)-1)
	if r.Gen != 0 {
		s += fmt.Sprintf(" v%d", r.Gen)
	}
	return s
}

// Data is a sequence of bytes. Neighbours that continue each other are one run. Data is
// never changed once it is made, so that it can be shared.
type Data []Run

// Bytes is n bytes of a source from byte from on, in the first version.
func Bytes(source string, from uint64, n int) Data { return Data{{source, from, 0, uint32(n)}} }

// Zeroes is n zeroes.
func Zeroes(n int) Data { return Data{{Len: uint32(n)}} }

// Literal is bytes of known value.
func Literal(b []byte) Data {
	var d Data
	for len(b) > 0 {
		v, n := uint64(0), min(8, len(b))
		for i, c := range b[:n] {
			v |= uint64(c) << (8 * i)
		}
		d, b = d.add(word(v, uint32(n))), b[n:]
	}
	return d
}

// Len is the number of bytes.
func (d Data) Len() int {
	n := 0
	for i := range d {
		n += int(d[i].Len)
	}
	return n
}

// add appends a run, which may become part of the last one: it is for data that nobody
// else has yet.
func (d Data) add(r Run) Data {
	if r.Len == 0 {
		return d
	}
	if len(d) > 0 {
		l := &d[len(d)-1]
		if l.Source == r.Source && r.Source != literal && uint64(l.Len)+uint64(r.Len) <= math.MaxUint32 &&
			(r.Source == "" || l.Gen == r.Gen && l.Byte+uint64(l.Len) == r.Byte) {
			l.Len += r.Len
			return d
		}
	}
	return append(d, r)
}

// cursor goes through data from front to back.
type cursor struct {
	d  Data
	at uint32 // in d[0]
}

// next takes at most n bytes, of one run; none are left if its length is 0.
func (c *cursor) next(n int) Run {
	for len(c.d) > 0 && c.at == c.d[0].Len {
		c.d, c.at = c.d[1:], 0
	}
	if len(c.d) == 0 || n <= 0 {
		return Run{}
	}
	r := &c.d[0]
	from := c.at
	c.at += uint32(min(n, int(r.Len-c.at)))
	return r.cut(from, c.at-from)
}

// rest is how much is left of the run that the cursor is in, 0 at the end.
func (c *cursor) rest() int {
	for len(c.d) > 0 && c.at == c.d[0].Len {
		c.d, c.at = c.d[1:], 0
	}
	if len(c.d) == 0 {
		return 0
	}
	return int(c.d[0].Len - c.at)
}

// skip moves on by n bytes.
func (c *cursor) skip(n int) {
	for n > 0 {
		m := min(n, c.rest())
		if m == 0 {
			panic(fmt.Sprintf("hw: %d bytes past the end of data", n))
		}
		c.at += uint32(m)
		n -= m
	}
}

// move appends the next n bytes of the cursor to d.
func (d Data) move(c *cursor, n int) Data {
	for n > 0 {
		r := c.next(n)
		if r.Len == 0 {
			panic(fmt.Sprintf("hw: %d bytes past the end of data", n))
		}
		d = d.add(r)
		n -= int(r.Len)
	}
	return d
}

// Slice is n bytes from off on.
func (d Data) Slice(off, n int) Data {
	c := cursor{d: d}
	c.skip(off)
	if n <= c.rest() { // the usual case: no more than a run
		if n == 0 {
			return nil
		}
		return Data{c.next(n)}
	}
	return Data(nil).move(&c, n)
}

// Append is d with e after it. It may use what is behind the end of d, as append does.
func (d Data) Append(e Data) Data {
	for _, r := range e {
		d = d.add(r.cut(0, r.Len))
	}
	return d
}

// Concat joins data.
func Concat(parts ...Data) Data {
	var d Data
	for _, e := range parts {
		d = d.Append(e)
	}
	return d
}

// Overwrite is d with the bytes from off on replaced by e.
func (d Data) Overwrite(off int, e Data) Data {
	out := make(Data, 0, len(d)+len(e)+1)
	c := cursor{d: d}
	out = out.move(&c, off).Append(e)
	c.skip(e.Len())
	return out.move(&c, d.Len()-off-e.Len())
}

// Diff is the first byte in which d and e differ, -1 for none. If one is longer, it is
// the first byte that the other does not have.
func (d Data) Diff(e Data) int {
	a, b, at := cursor{d: d}, cursor{d: e}, 0
	for {
		n := min(a.rest(), b.rest())
		if n == 0 {
			if a.rest() == b.rest() {
				return -1
			}
			return at
		}
		if i := a.next(n).diff(b.next(n)); i >= 0 {
			return at + i
		}
		at += n
	}
}

// Equal tells whether d and e have the same bytes.
func (d Data) Equal(e Data) bool { return d.Diff(e) < 0 }

// From names the origin of byte i: "byte 512 of vram", "a zero".
func (d Data) From(i int) string {
	if i >= d.Len() {
		return "nothing"
	}
	c := cursor{d: d}
	c.skip(i)
	r := c.next(1)
	switch r.Source {
	case "":
		return "a zero"
	case literal:
		return fmt.Sprintf("%#02x", r.Byte)
	}
	s := fmt.Sprintf("byte %d of %s", r.Byte, r.Source)
	if r.Gen != 0 {
		s += fmt.Sprintf(" v%d", r.Gen)
	}
	return s
}

func (d Data) String() string {
	if len(d) == 0 {
		return "nothing"
	}
	var s strings.Builder
	for i, r := range d {
		if i > 0 {
			s.WriteString(", ")
		}
		s.WriteString(r.String())
	}
	return s.String()
}
