package hw

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

func frames(pages []*Page) string {
	s := ""
	for _, p := range pages {
		s += fmt.Sprintf("%x ", p.PFN-firstPFN)
	}
	return s
}

func TestLayout(t *testing.T) {
	for chunk, want := range map[int]string{0: "0 1 2 3 4 ", 1: "0 6 2 8 4 ", 2: "0 1 6 7 3 ", 7: "0 1 2 3 4 "} {
		passes(t, func(st *sim.Task) {
			m := &Memory{Chunk: chunk}
			p := m.Alloc(st, "a", 5)
			require.Equal(t, want, frames(p))
			seen := map[uint64]bool{}
			for _, p := range append(p, m.Alloc(st, "b", 5)...) {
				require.False(t, seen[p.PFN], "frame %#x twice", p.PFN)
				seen[p.PFN] = true
				require.Same(t, p, m.find(p.PFN))
			}
		})
	}
}

func TestAllocAt(t *testing.T) {
	passes(t, func(st *sim.Task) {
		m := &Memory{}
		p := m.AllocAt(st, "a", 0x123456, 0x100000)
		require.Equal(t, uint64(0x123456000), p[0].Phys())
		require.Len(t, m.Owned("a"), 2)
		m.AllocAt(st, "a", firstPFN+1, firstPFN+4)
		require.Equal(t, "0 ", frames(m.Alloc(st, "b", 1)), "what is taken is left out")
		require.Equal(t, "2 3 ", frames(m.Alloc(st, "b", 2)))
		require.Equal(t, "5 6 ", frames(m.Alloc(st, "b", 2)))
	})
	fails(t, sim.Misuse, "there is a page 0x2a0 already", func(st *sim.Task) {
		m := &Memory{}
		m.Alloc(st, "a", 1)
		m.AllocAt(st, "b", firstPFN)
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

// The CPU's accesses are part of the operation before them, and declared.
func TestCPUAccessesAreDeclared(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	var pages []*Page
	for want, access := range map[string]func(st *sim.Task){
		"[ r r]": func(st *sim.Task) { Load(st, pages, PageSize+1, PageSize) },
		"[w w ]": func(st *sim.Task) { Store(st, pages, PageSize-1, Zeroes(2)) },
		"[ r ]":  func(st *sim.Task) { LoadWord(st, pages, WordsPerPage) },
		"[ w w]": func(st *sim.Task) { StoreWords(st, pages, 2*WordsPerPage-1, 7, 8) },
	} {
		require.Nil(t, m.Run(sim.Default{}, func(st *sim.Task) {
			pages = (&Memory{}).Table(st, "a", 3)
			st.Step(sim.Op{Verb: "something"})
			access(st)
		}).Failure)
		require.Equal(t, want, fmt.Sprint(touched(m, pages)))
	}
}

// A table reads back as words, and as the bytes of these; and once it is given away, as
// what its new owner put there.
func TestTable(t *testing.T) {
	passes(t, func(st *sim.Task) {
		p := (&Memory{}).Table(st, "lists", 2)
		st.Step(sim.Op{Verb: "something"})
		StoreWords(st, p, WordsPerPage-1, 0x1122, 0x100)
		require.Equal(t, uint64(0x1122), LoadWord(st, p, WordsPerPage-1))
		require.Equal(t, uint64(0x100), LoadWord(st, p, WordsPerPage))
		require.Equal(t, []byte{0x22, 0x11, 0, 0, 0, 0, 0, 0, 0, 1}, Peek(p, PageSize-8, 10).Bytes())
		Give(st, p, "other")
		bytes := Peek(p, 0, 8).Bytes()
		require.Equal(t, Literal(bytes).Bytes(), Bytes("other", 0, 8).Bytes())
		require.Equal(t, Literal(bytes), Data{word(LoadWord(st, p, 0), 8)})
	})
}
