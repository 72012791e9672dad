package hw

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// origin is one byte of a plain reference: data without any cleverness.
type origin struct {
	source string
	at     uint64
	gen    uint32
}

// plain makes the reference of data, a byte at a time.
func plain(d Data) []origin {
	out := []origin{}
	for _, r := range d {
		for i := range r.Len {
			switch r.Source {
			case "":
				out = append(out, origin{})
			case literal:
				o := origin{literal, r.Byte >> (8 * i) & 0xff, 0}
				if o.at == 0 {
					o = origin{}
				}
				out = append(out, o)
			default:
				out = append(out, origin{r.Source, r.Byte + uint64(i), r.Gen})
			}
		}
	}
	return out
}

// drawData draws data of a few runs, which often continue each other.
func drawData(t *rapid.T, label string, low, high int) Data {
	var d Data
	for n := rapid.IntRange(low, high).Draw(t, label+" length"); n > 0; {
		m := rapid.IntRange(1, n).Draw(t, "run")
		if rapid.Bool().Draw(t, "literal") {
			m = min(m, 20)
			d = d.Append(Literal(rapid.SliceOfN(rapid.ByteRange(0, 2), m, m).Draw(t, "bytes")))
		} else {
			d = d.Append(Data{{
				rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "source"),
				rapid.Uint64Range(0, 40).Draw(t, "byte"), rapid.Uint32Range(0, 1).Draw(t, "generation"), uint32(m),
			}})
		}
		n -= m
	}
	return d
}

// first is where two references differ, -1 for nowhere.
func first(a, b []origin) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	if len(a) == len(b) {
		return -1
	}
	return min(len(a), len(b))
}

// Data does what a plain array of bytes does.
func TestDataAgainstArray(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawData(t, "data", 0, 60)
		want := plain(d)
		require.Equal(t, len(want), d.Len())
		off := rapid.IntRange(0, len(want)).Draw(t, "offset")
		n := rapid.IntRange(0, len(want)-off).Draw(t, "length")
		require.Equal(t, want[off:off+n], plain(d.Slice(off, n)))

		e := drawData(t, "other", 0, len(want)-off)
		over := append([]origin{}, want...)
		copy(over[off:], plain(e))
		require.Equal(t, over, plain(d.Overwrite(off, e)))
		require.Equal(t, append(append([]origin{}, want...), plain(e)...), plain(Concat(d, e)))
		require.Equal(t, want, plain(d), "nothing changes data")
	})
}

// Comparison finds the first byte that differs, however the data are cut.
func TestDataDiff(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawData(t, "data", 0, 60)
		e := drawData(t, "other", 0, 60)
		require.Equal(t, first(plain(d), plain(e)), d.Diff(e))

		// The same bytes in other pieces, and with one of them changed.
		k := rapid.IntRange(0, d.Len()).Draw(t, "cut")
		same := append(append(Data{}, d.Slice(0, k)...), d.Slice(k, d.Len()-k)...)
		require.True(t, d.Equal(same))
		if k < d.Len() {
			require.Equal(t, k, d.Diff(d.Overwrite(k, Bytes("other", 7, 1))))
			require.NotEqual(t, "byte 7 of other", d.From(k))
			require.Equal(t, "byte 7 of other", d.Overwrite(k, Bytes("other", 7, 1)).From(k))
		}
	})
}

// Joining what was cut gives back the runs as they were.
func TestDataIsCanonical(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawData(t, "data", 0, 60)
		k := rapid.IntRange(0, d.Len()).Draw(t, "cut")
		for i, r := range d {
			require.Positive(t, r.Len)
			if i > 0 && r.Source != literal {
				require.Len(t, Concat(Data{d[i-1]}, Data{r}), 2, "neighbours that continue each other are one run")
			}
		}
		joined := Concat(d.Slice(0, k), d.Slice(k, d.Len()-k))
		require.True(t, d.Equal(joined))
		for _, r := range d {
			if r.Source == literal {
				return // those are not joined
			}
		}
		require.Equal(t, append(Data{}, d...), append(Data{}, joined...))
	})
}

// Bytes that follow each other in different versions, or sources, do not go together.
func TestDataOfSeveralVersions(t *testing.T) {
	d := Concat(Bytes("a", 0, 4), Data{{"a", 4, 1, 4}}, Data{{"b", 8, 1, 4}}, Data{{"b", 13, 1, 4}}, Data{{"b", 17, 1, 4}})
	require.Equal(t, "a[0..3], a[4..7] v1, b[8..11] v1, b[13..20] v1", d.String())
	require.Equal(t, 4, d.Diff(Bytes("a", 0, 20)))
	require.True(t, Zeroes(4).Equal(Data{{"", 7, 7, 4}}), "zeroes have no number")
}

// Real bytes of a part are a part of the real bytes; equal data have equal bytes, and
// different ones of some length different bytes.
func TestDataBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, e := drawData(t, "data", 0, 60), drawData(t, "other", 0, 60)
		b := d.Bytes()
		require.Len(t, b, d.Len())
		off := rapid.IntRange(0, len(b)).Draw(t, "offset")
		n := rapid.IntRange(0, len(b)-off).Draw(t, "length")
		require.Equal(t, b[off:off+n], d.Slice(off, n).Bytes())
		if d.Equal(e) {
			require.Equal(t, b, e.Bytes())
		}
		require.Equal(t, Literal(b).Bytes(), b)
		if n >= 8 {
			c := cursor{d: d}
			c.skip(off)
			require.Equal(t, binary.LittleEndian.Uint64(b[off:]), c.word())
		}
		x, y := Bytes("a", uint64(off), 16), Data{{"a", uint64(n), 1, 16}}
		require.False(t, bytes.Equal(x.Bytes(), y.Bytes()))
		require.Equal(t, off == n, bytes.Equal(x.Bytes(), Bytes("a", uint64(n), 16).Bytes()))
		require.False(t, bytes.Equal(x.Bytes(), Bytes("b", uint64(off), 16).Bytes()))
	})
	require.Equal(t, make([]byte, 9), Zeroes(9).Bytes())
	require.True(t, Zeroes(9).Equal(Literal(make([]byte, 9))))
}

func TestDataString(t *testing.T) {
	for want, d := range map[string]Data{
		"nothing":                    nil,
		"9 zeroes":                   Zeroes(9),
		"vram[4..7]":                 Bytes("vram", 4, 4),
		"vram[4..7] v2":              {{"vram", 4, 2, 4}},
		"0100ff":                     Literal([]byte{1, 0, 255}),
		"a[0..0], 2 zeroes, b[1..1]": Concat(Bytes("a", 0, 1), Zeroes(2), Bytes("b", 1, 1)),
	} {
		require.Equal(t, want, d.String())
	}
	d := Concat(Bytes("a", 5, 2), Zeroes(1), Literal([]byte{7}), Data{{"b", 0, 3, 1}})
	var from []string
	for i := range 6 {
		from = append(from, d.From(i))
	}
	require.Equal(t, []string{"byte 5 of a", "byte 6 of a", "a zero", "0x07", "byte 0 of b v3", "nothing"}, from)
}

func TestDataOutOfRange(t *testing.T) {
	d := Bytes("a", 0, 8)
	require.Panics(t, func() { d.Slice(4, 5) })
	require.Panics(t, func() { d.Slice(9, 0) })
	require.Panics(t, func() { d.Overwrite(5, Zeroes(4)) })
}

// FuzzData reads a program of operations on data from the input and runs it on a plain
// array, too.
func FuzzData(f *testing.F) {
	f.Add([]byte{0, 3, 9, 1, 5, 2, 2, 4, 4, 0, 7, 7})
	f.Add([]byte("slices, overwrites and joins of bytes"))
	f.Fuzz(func(t *testing.T, program []byte) {
		d := Bytes("start", 0, 64)
		want := plain(d)
		for len(program) >= 4 {
			op, off, n, x := program[0]%4, int(program[1])%(len(want)+1), int(program[2]), program[3]
			program = program[4:]
			n = min(n, len(want)-off)
			var e Data
			switch x % 3 {
			case 0:
				e = Zeroes(n)
			case 1:
				e = Bytes("other", uint64(x), n)
			case 2:
				e = Literal(bytes.Repeat([]byte{x, 0, 1}, n)[:n])
			}
			switch op {
			case 0:
				d, want = d.Slice(off, n), want[off:off+n]
			case 1:
				if len(want) < 1<<12 {
					d, want = Concat(d, e), append(append([]origin{}, want...), plain(e)...)
				}
			default:
				d = d.Overwrite(off, e)
				want = append([]origin{}, want...)
				copy(want[off:], plain(e))
			}
			if i := first(want, plain(d)); i >= 0 {
				t.Fatalf("byte %d is %s", i, d.From(i))
			}
		}
	})
}
