package hw

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

func TestMemoryContents(t *testing.T) {
	passes(t, func(st *sim.Task) {
		m := &Memory{}
		a, b := m.Alloc(st, "a", 2), m.Alloc(st, "b", 2)
		require.Equal(t, Stamp{}, Sector(a, 0), "fresh pages have zeroes in them")
		Fill(a, "a")
		require.Equal(t, Stamp{"a", SectorsPerPage, 0}, Sector(a, SectorsPerPage), "sectors are numbered over the range")
		SetSector(a, 9, Stamp{"x", 1, 2})
		Copy(st, b, a)
		require.Equal(t, Stamp{"x", 1, 2}, Sector(b, 9))
		require.Equal(t, Stamp{"a", 8, 0}, Sector(b, 8))
		SetSector(a, 9, Stamp{})
		require.Equal(t, Stamp{"x", 1, 2}, Sector(b, 9), "a copy is a copy")

		require.Equal(t, a, m.Owned("a"))
		Give(st, a, "other")
		require.Empty(t, m.Owned("a"))
		require.Equal(t, a, m.Owned("other"))
		require.Equal(t, Stamp{"other", 15, 0}, Sector(a, 15), "the new owner has data of its own")
		Give(st, nil, "nobody")
	})
}

func TestSpan(t *testing.T) {
	passes(t, func(st *sim.Task) {
		p := (&Memory{}).Alloc(st, "a", 3)
		require.Equal(t, "no pages", Span(nil))
		require.Equal(t, "0x2a0", Span(p[:1]))
		require.Equal(t, "0x2a0..0x2a2", Span(p))
	})
}
