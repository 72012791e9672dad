package iter

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/internal/simtest"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// model is what an iterator is about, as plain bytes: all of its memory in a row, a
// position, and how much is left.
type model struct {
	*board
	simtest.T
	mem     []byte
	missing []bool // bytes that fault
	vector  []int  // of each byte
	addr    []uint64
	pos     int
	count   int
	floor   int // a revert may go back to here
}

// program is something to do with an iterator. It is drawn as a whole before it runs.
type program struct {
	typ     Type
	segs    []seg
	missing uint64 // the page of the address space that is not there, 0 for none
	steps   []step
}

// verbs are what can be done.
var verbs = []string{"advance", "revert", "truncate", "reexpand", "to", "from", "zero", "save", "restore", "dup", "extract"}

// step is one operation. Numbers are made to fit when it is done.
type step struct {
	do   string
	n    int  // bytes
	edge bool // counted from the end of the current vector
	most int  // pages
	dir  hw.Direction
}

func drawProgram(t *rapid.T) program {
	p := program{typ: rapid.SampledFrom(classic).Draw(t, "type")}
	n := 1
	if p.typ != ITER_UBUF {
		n = rapid.IntRange(1, 4).Draw(t, "vectors")
	}
	length := rapid.OneOf(rapid.Uint64Range(0, 3), rapid.Uint64Range(4094, 4098), rapid.Uint64Range(0, 9000))
	for range n {
		p.segs = append(p.segs, seg{rapid.Uint64Range(0, hw.PageSize-1).Draw(t, "offset"), length.Draw(t, "length")})
	}
	if p.typ <= ITER_IOVEC && rapid.Bool().Draw(t, "a page is missing") {
		p.missing = rapid.Uint64Range(1, uint64(n)).Draw(t, "in vector")<<20/hw.PageSize + rapid.Uint64Range(0, 2).Draw(t, "page")
	}
	for range rapid.IntRange(1, 12).Draw(t, "steps") {
		s := step{
			do:   rapid.SampledFrom(verbs).Draw(t, "do"),
			edge: rapid.Bool().Draw(t, "from the edge"),
			most: rapid.IntRange(1, 5).Draw(t, "pages"),
			dir:  rapid.SampledFrom([]hw.Direction{in, out}).Draw(t, "direction"),
		}
		if s.edge {
			s.n = rapid.IntRange(-1, 1).Draw(t, "n")
		} else {
			s.n = rapid.IntRange(0, 9000).Draw(t, "n")
		}
		p.steps = append(p.steps, s)
	}
	return p
}

// newModel makes the memory of a program.
func newModel(t simtest.T, k *kernel.Task, p program) *model {
	m := &model{board: newBoard(k, p.typ, in, p.segs...), T: t}
	if p.missing != 0 {
		m.mm.Munmap(k, p.missing*hw.PageSize, hw.PageSize)
	}
	for j, s := range p.segs {
		m.mem = append(m.mem, hw.Peek(m.pages[j], int(s.off), int(s.n)).Bytes()...)
		for b := range s.n {
			a := m.base(j) + b
			m.vector, m.addr = append(m.vector, j), append(m.addr, a)
			m.missing = append(m.missing, p.missing != 0 && a/hw.PageSize == p.missing)
		}
	}
	m.count = len(m.mem)
	return m
}

// there is how many of n bytes from the position on can be copied.
func (m *model) there(n int) int {
	n = min(n, m.count)
	for k := range n {
		if m.missing[m.pos+k] {
			return k
		}
	}
	return n
}

func (m *model) move(n int) { m.pos, m.count = m.pos+n, m.count-n }

// check compares all that can be asked.
func (m *model) check(k *kernel.Task) {
	require.EqualValues(m, m.count, m.Count)
	i := m.Iter
	i.Dir = out
	n := m.there(m.count)
	data, got := i.CopyFromIter(k, uint64(m.count))
	require.EqualValues(m, n, got)
	require.Equal(m, n, data.Len())
	if n > 0 {
		require.Equal(m, m.mem[m.pos:m.pos+n], data.Bytes(), "what is left")
	}

	pages, align := 0, uint64(0)
	for at, end := m.pos, m.pos+m.count; at < end; {
		from := at
		for at < end && m.vector[at] == m.vector[from] {
			if at == from || m.addr[at]%hw.PageSize == 0 {
				pages++
			}
			at++
		}
		align |= m.addr[from] | uint64(at-from)
	}
	if m.Type == ITER_BVEC && slices.ContainsFunc(m.segs, func(s seg) bool { return s.n == 0 }) {
		return // there also empty ones count
	}
	for _, most := range []int{0, 1, pages, pages + 1} {
		require.Equal(m, min(pages, most), m.Npages(k, most), "at most %d pages", most)
	}
	require.Equal(m, align%hw.PageSize, m.Alignment(k)%hw.PageSize)
}

// extract takes pages and gives them back.
func (m *model) extract(k *kernel.Task, size, most int) {
	want, off := 0, 0
	if n := min(size, m.count); n > 0 {
		off = int(m.addr[m.pos] % hw.PageSize)
		for want < min(n, most*hw.PageSize-off) && m.vector[m.pos+want] == m.vector[m.pos] && !m.missing[m.pos+want] {
			want++
		}
	}
	pages, at, n := m.ExtractPages(k, uint64(size), most, 0)
	if want == 0 && min(size, m.count) > 0 {
		require.Equal(m, Neg(kernel.EFAULT), n)
		return
	}
	require.EqualValues(m, want, n)
	if want > 0 {
		require.EqualValues(m, off, at)
		require.Equal(m, m.mem[m.pos:m.pos+want], hw.Peek(pages, off, want).Bytes())
	}
	if m.WillPin() {
		m.mm.Unpin(k, pages...)
	}
	m.move(want)
}

// edge is how far it is to the end of the vector of the current byte.
func (m *model) edge() int {
	n := 0
	for n < m.count && m.vector[m.pos+n] == m.vector[m.pos] {
		n++
	}
	return n
}

// point is a position that was saved.
type point struct {
	state      State
	pos, count int
}

func (m *model) save() point { return point{m.Save(), m.pos, m.count} }

// step does something on both sides, and compares.
func (m *model) step(k *kernel.Task, j int, s step, p *point) {
	n := s.n
	if s.edge {
		n = max(0, n+m.edge())
	}
	switch s.do {
	case "advance":
		m.Advance(uint64(n))
		m.move(min(n, m.count))
	case "revert":
		n = min(n, m.pos-m.floor)
		m.Revert(k, uint64(n))
		m.move(-n)
	case "truncate":
		m.Truncate(uint64(n))
		m.count = min(m.count, n)
	case "reexpand":
		n = min(n, len(m.mem)-m.pos)
		m.Reexpand(uint64(n))
		m.count = n
	case "to":
		data := hw.Bytes(fmt.Sprintf("new%d", j), uint64(n), n)
		m.Dir = in
		n = m.there(n)
		require.EqualValues(m, n, m.CopyToIter(k, data))
		copy(m.mem[m.pos:m.pos+n], data.Bytes())
		m.move(n)
	case "from":
		m.Dir = out
		want := m.there(n)
		data, got := m.CopyFromIter(k, uint64(n))
		require.EqualValues(m, want, got)
		require.Equal(m, string(m.mem[m.pos:m.pos+want]), string(data.Bytes()))
		m.move(want)
	case "zero":
		want := m.there(n)
		require.EqualValues(m, want, m.Zero(k, uint64(n)))
		clear(m.mem[m.pos : m.pos+want])
		m.move(want)
	case "save":
		*p = m.save()
	case "restore":
		m.Restore(p.state)
		m.pos, m.count = p.pos, p.count
	case "dup":
		d, ok := m.Dup(k, kernel.GFP_KERNEL)
		require.Equal(m, m.vectored(), ok)
		if m.Iter = d; ok {
			m.floor = m.pos - int(m.Offset)
			*p = m.save()
		}
	case "extract":
		m.Dir = s.dir
		m.extract(k, n, s.most)
	}
	m.check(k)
}

// run is the program and its reference, side by side.
func (p program) run(t simtest.T) {
	passes(t, func(k *kernel.Task) {
		m := newModel(t, k, p)
		start := m.save()
		m.check(k)
		for j, s := range p.steps {
			m.step(k, j, s, &start)
		}
	})
}

// An iterator does to its memory what a position does to plain bytes.
func TestIterAgainstBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { drawProgram(t).run(t) })
}

// readProgram makes a program of any bytes.
func readProgram(data []byte) program {
	next := func(n int) int { // a number below n
		v := 0
		for k := 1; k < n && len(data) > 0; k <<= 8 {
			v, data = v<<8|int(data[0]), data[1:]
		}
		return v % n
	}
	p := program{typ: classic[next(len(classic))]}
	n := 1
	if p.typ != ITER_UBUF {
		n += next(4)
	}
	for range n {
		p.segs = append(p.segs, seg{uint64(next(hw.PageSize)), uint64(next(9001))})
	}
	if p.typ <= ITER_IOVEC && next(2) == 1 {
		p.missing = uint64(1+next(n))<<20/hw.PageSize + uint64(next(3))
	}
	for len(data) > 0 && len(p.steps) < 32 {
		s := step{do: verbs[next(len(verbs))], edge: next(2) == 1, most: 1 + next(5), dir: []hw.Direction{in, out}[next(2)]}
		if s.edge {
			s.n = next(3) - 1
		} else {
			s.n = next(9001)
		}
		p.steps = append(p.steps, s)
	}
	return p
}

func FuzzIter(f *testing.F) {
	for typ := range byte(len(classic)) {
		seed := []byte{typ, 3, 0, 100, 16, 0, 0, 8, 0, 0, 15, 255, 3, 232, 0, 9, 16, 1}
		for do := range byte(len(verbs)) {
			seed = append(seed, do, 0, 3, do, 2, 10, do, 1, 1, 0, 2)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) { readProgram(data).run(t) })
}
