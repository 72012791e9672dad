package hw

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/sim"
)

// Pages that are written, copied, used as tables and handed on hold what plain arrays
// hold; copies do not see each other's changes.
func TestPagesAgainstArrays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var pages [3]*Page
		var want [3][]origin
		for i := range pages {
			pages[i] = &Page{}
			want[i] = make([]origin, PageSize)
		}
		all := func() []origin { return append(append(append([]origin{}, want[0]...), want[1]...), want[2]...) }
		put := func(off int, b []origin) {
			for i, o := range b {
				want[(off+i)/PageSize][(off+i)%PageSize] = o
			}
		}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			i, j := rapid.IntRange(0, 2).Draw(t, "page"), rapid.IntRange(0, 2).Draw(t, "other")
			switch rapid.SampledFrom([]string{"poke", "copy", "fill", "table", "word", "peek"}).Draw(t, "operation") {
			case "poke":
				off := rapid.IntRange(0, 3*PageSize-1).Draw(t, "offset")
				d := drawData(t, "data", 1, min(6000, 3*PageSize-off))
				put(off, plain(d))
				Poke(pages[:], off, d)
			case "copy":
				pages[i].contents = pages[j].contents.Copy()
				copy(want[i], want[j])
			case "fill":
				Fill(pages[i:i+1], "x")
				copy(want[i], plain(Bytes("x", 0, PageSize)))
			case "table":
				pages[i].contents = Contents{words: &table{}}
				clear(want[i])
			case "word":
				k, v := rapid.IntRange(0, 3*WordsPerPage-1).Draw(t, "index"), rapid.Uint64().Draw(t, "value")
				pages[k/WordsPerPage].contents.setWord(k%WordsPerPage, v)
				put(8*k, plain(Literal(binary.LittleEndian.AppendUint64(nil, v))))
			case "peek":
				off := rapid.IntRange(0, 3*PageSize).Draw(t, "offset")
				n := rapid.IntRange(0, 3*PageSize-off).Draw(t, "length")
				if at := first(all()[off:off+n], plain(Peek(pages[:], off, n))); at >= 0 {
					t.Fatalf("byte %d", off+at)
				}
			}
			k := rapid.IntRange(0, WordsPerPage-1).Draw(t, "looked at")
			bytes := Peek(pages[i:i+1], 8*k, 8).Bytes()
			require.Equal(t, binary.LittleEndian.Uint64(bytes), pages[i].contents.word(k))
		}
		if at := first(all(), plain(Peek(pages[:], 0, 3*PageSize))); at >= 0 {
			t.Fatalf("byte %d at the end", at)
		}
	})
}

// A copy of a table is a copy, whichever is written.
func TestCopiesOfTables(t *testing.T) {
	var a, b, c Contents
	a.words = &table{}
	a.setWord(3, 1)
	b = a.Copy()
	c = b.Copy()
	a.setWord(3, 2)
	b.setWord(3, 3)
	b.setWord(4, 4)
	require.Equal(t, []uint64{2, 0, 3, 4, 1, 0}, []uint64{a.word(3), a.word(4), b.word(3), b.word(4), c.word(3), c.word(4)})
}

// What a page and its copies hold takes no memory of its own as long as it is simple.
func TestContentsDoNotAllocate(t *testing.T) {
	a, b := &Page{}, &Page{}
	data := Bytes("drive", 512, PageSize)
	room := make(Data, 0, 8)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		Fill([]*Page{a}, "a")
		a.contents.Write(100, data.Slice(0, 0))
		c := cursor{d: data}
		a.contents.take(4, 1000, &c)
		b.contents = a.contents.Copy()
		room = b.contents.Read(room[:0], 0, PageSize)
	}))
	require.Equal(t, "a[0..3], drive[512..1511], a[1004..4095]", room.String())
}

func TestMemoryContents(t *testing.T) {
	passes(t, func(st *sim.Task) {
		m := &Memory{}
		a, b := m.Alloc(st, "a", 2), m.Alloc(st, "b", 2)
		require.Equal(t, Zeroes(2*PageSize), Peek(a, 0, 2*PageSize), "fresh pages have zeroes in them")
		Fill(a, "a")
		require.Equal(t, Bytes("a", 0, 2*PageSize), Peek(a, 0, 2*PageSize), "bytes are numbered over the range")
		Poke(a, 4090, Bytes("x", 1, 10))
		Copy(st, b, a)
		Poke(a, 4090, Zeroes(10))
		require.Equal(t, Concat(Bytes("a", 0, 4090), Bytes("x", 1, 10), Bytes("a", 4100, 4092)), Peek(b, 0, 2*PageSize), "a copy is a copy")

		require.Equal(t, a, m.Owned("a"))
		Give(st, a, "other")
		require.Empty(t, m.Owned("a"))
		require.Equal(t, a, m.Owned("other"))
		require.Equal(t, Bytes("other", 0, 2*PageSize), Peek(a, 0, 2*PageSize), "the new owner has data of its own")
		Give(st, nil, "nobody")
	})
}
