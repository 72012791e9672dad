package hw

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/sim"
)

func TestDMAMovesData(t *testing.T) {
	passes(t, func(st *sim.Task) {
		b := newBoard(st, 2)
		require.Equal(t, Bytes("vram", 0, 2*PageSize), b.read(st))
		b.write(st, "drive")
		require.Equal(t, Bytes("drive", 0, 2*PageSize), Peek(b.pages, 0, 2*PageSize))

		// Parts of pages, in another order than the buffer's, and not even dwords.
		data := Concat(Bytes("x", 0, 100), Bytes("y", 0, 3))
		b.iommu.DMA(st, FromDevice, []Segment{{b.at(PageSize - 50), 100}, {b.at(5), 3}}, data)
		require.Equal(t, "drive[0..4], y[0..2], drive[8..4045], x[0..99], drive[4146..8191]", Peek(b.pages, 0, 2*PageSize).String())
		got := b.iommu.DMA(st, ToDevice, []Segment{{b.at(PageSize - 51), 2}, {b.at(7), 2}}, nil)
		require.Equal(t, "drive[4045..4045], x[0..0], y[2..2], drive[8..8]", got.String())
	})
	fails(t, sim.Misuse, "DMA of 4096 bytes to segments of 8192 bytes", func(st *sim.Task) {
		b := newBoard(st, 2)
		b.iommu.DMA(st, FromDevice, b.segs, Zeroes(PageSize))
	})
}

// A transfer of any shape leaves memory as an array of bytes would be.
func TestDMAAgainstArray(t *testing.T) {
	type transfer struct {
		write bool
		segs  [][2]int
	}
	rapid.Check(t, func(t *rapid.T) {
		c := Config{Mode: rapid.SampledFrom([]Mode{Strict, Lazy, Passthrough}).Draw(t, "mode")}
		transfers := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) transfer {
			return transfer{rapid.Bool().Draw(t, "write"), rapid.SliceOfN(rapid.Custom(func(t *rapid.T) [2]int {
				off := rapid.IntRange(0, 3*PageSize-1).Draw(t, "offset")
				return [2]int{off, rapid.IntRange(1, 3*PageSize-off).Draw(t, "length")}
			}), 1, 4).Draw(t, "segments")}
		}), 1, 4).Draw(t, "transfers")
		passes(t, func(st *sim.Task) {
			b := newBoardWith(st, 3, c, Bidirectional)
			memory := plain(Bytes("vram", 0, 3*PageSize))
			for _, x := range transfers {
				var segs []Segment
				var read []origin
				n := 0
				for _, s := range x.segs {
					segs = append(segs, Segment{b.at(s[0]), s[1]})
					if x.write {
						copy(memory[s[0]:], plain(Bytes("dma", uint64(n), s[1])))
					}
					read = append(read, memory[s[0]:s[0]+s[1]]...)
					n += s[1]
				}
				if x.write {
					b.iommu.DMA(st, FromDevice, segs, Bytes("dma", 0, n))
				} else if at := first(read, plain(b.iommu.DMA(st, ToDevice, segs, nil))); at >= 0 {
					st.Fail(DataCorruption, "byte %d", at)
				}
			}
			if at := first(memory, plain(Peek(b.pages, 0, b.size()))); at >= 0 {
				st.Fail(DataCorruption, "byte %d of memory", at)
			}
		})
	})
}

func TestDMAOfPagesThatMoved(t *testing.T) {
	fails(t, StaleDMA, `dev0 wrote 4096 bytes to page 0x2a0, which belongs to "evicted" now; the mapping was made by init`, func(st *sim.Task) {
		b := newBoard(st, 1)
		Give(st, b.pages, "evicted")
		b.write(st, "drive")
	})
	fails(t, StaleDMA, `dev0 read 4096 bytes from page 0x2a0, which belongs to "evicted" now`, func(st *sim.Task) {
		b := newBoard(st, 1)
		Give(st, b.pages, "evicted")
		b.read(st)
	})
	fails(t, StaleDMA, `page 0x2a1`, func(st *sim.Task) { // also where the first page is good
		b := newBoard(st, 2)
		Give(st, b.pages[1:], "evicted")
		b.read(st)
	})
	fails(t, StaleDMA, `to page 0x2a0 of "vram" after the exporter had waited for its fences`, func(st *sim.Task) {
		b := newBoard(st, 1)
		Fence(st, b.pages)
		b.write(st, "drive")
	})
	// A mapping that was made for the new owner is good, and nobody's fence ends it.
	passes(t, func(st *sim.Task) {
		b := newBoard(st, 1)
		Fence(st, b.pages)
		Give(st, b.pages, "vram")
		b.segs = b.iommu.Map(st, b.pages, Bidirectional)
		b.write(st, "drive")
	})
}

func TestDMAFaults(t *testing.T) {
	fails(t, IOMMUFault, "dev0: DMA write of 4096 bytes at bus address 0xfe000000 faults; it was mapped by init (task 0)", func(st *sim.Task) {
		b := newBoard(st, 1)
		b.iommu.Unmap(st, b.segs)
		b.write(st, "drive")
	})
	fails(t, IOMMUFault, "and unmapped by second (task 2)", func(st *sim.Task) {
		b := newBoard(st, 1)
		st.Go("first", func(*sim.Task) {})
		st.Go("second", func(st *sim.Task) { b.iommu.Unmap(st, b.segs) })
		st.Explore()
		b.read(st)
	})
	for _, a := range []BusAddr{0, firstBus - PageSize, firstBus + 2*PageSize, Poison} {
		fails(t, IOMMUFault, fmt.Sprintf("DMA read of 512 bytes at bus address %#x faults; it was never mapped", uint64(a)), func(st *sim.Task) {
			b := newBoard(st, 2)
			b.iommu.DMA(st, ToDevice, []Segment{{a, SectorSize}}, nil)
		})
	}
}

func TestUnmap(t *testing.T) {
	passes(t, func(st *sim.Task) {
		b := newBoard(st, 3)
		require.Equal(t, 3, b.iommu.Mapped())
		b.iommu.Unmap(st, []Segment{{b.at(PageSize), PageSize}})
		require.Equal(t, 2, b.iommu.Mapped())
		require.Equal(t, " (page 0x2a1)", b.iommu.Describe(b.at(PageSize+17)), "an address has a history")
		require.Empty(t, b.iommu.Describe(Poison))
		again := b.iommu.Map(st, b.pages[1:2], Bidirectional)
		require.NotEqual(t, b.at(PageSize), again[0].Addr, "addresses are never used again")
	})
	fails(t, sim.Misuse, "unmap of bus address 0xfe000000 of dev0, which is not mapped", func(st *sim.Task) {
		b := newBoard(st, 1)
		b.iommu.Unmap(st, b.segs)
		b.iommu.Unmap(st, b.segs)
	})
	fails(t, sim.Misuse, "0xfe001000", func(st *sim.Task) {
		b := newBoard(st, 1)
		b.iommu.Unmap(st, []Segment{{b.at(0), 2 * PageSize}})
	})
}

// Unmapping and moving race with a transfer in both ways; the exploration finds each.
func TestDMARaces(t *testing.T) {
	for kind, spoil := range map[sim.Kind]func(st *sim.Task, b *board){
		IOMMUFault: func(st *sim.Task, b *board) { b.iommu.Unmap(st, b.segs) },
		StaleDMA:   func(st *sim.Task, b *board) { Give(st, b.pages, "evicted") },
	} {
		on.Sometimes(t, kind, "", func(st *sim.Task) {
			b := newBoard(st, 1)
			st.Go("device", func(st *sim.Task) { b.write(st, "drive") })
			st.Go("spoiler", func(st *sim.Task) { spoil(st, b) })
			st.Explore()
		})
	}
}

// A random history of mappings, unmappings and moves: every transfer must end as a
// plain record of it says. It is drawn beforehand, since what is drawn inside a run
// would leave it through its coroutine.
func TestDMAAgainstRecord(t *testing.T) {
	type step struct {
		op            string
		page, mapping int
	}
	type made struct {
		segs      []Segment
		page, gen int
		mapped    bool
	}
	draw := rapid.Custom(func(t *rapid.T) step {
		return step{
			rapid.SampledFrom([]string{"map", "unmap", "give", "fence", "dma"}).Draw(t, "operation"),
			rapid.IntRange(0, 2).Draw(t, "page"), rapid.IntRange(0, 7).Draw(t, "mapping"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		steps := rapid.SliceOfN(draw, 1, 12).Draw(t, "steps")
		var want sim.Kind
		f := on.Run(func(st *sim.Task) {
			iommu := NewIOMMU(st, "dev0")
			pages := (&Memory{}).Alloc(st, "vram", 3)
			var gens [3]int
			var fenced [3]bool
			var maps []made
			for i, s := range steps {
				page := pages[s.page : s.page+1]
				switch s.op {
				case "map":
					maps = append(maps, made{iommu.Map(st, page, Bidirectional), s.page, gens[s.page], true})
					continue
				case "give":
					gens[s.page]++
					fenced[s.page] = false
					Give(st, page, "evicted")
					continue
				case "fence":
					fenced[s.page] = true
					Fence(st, page)
					continue
				}
				if len(maps) == 0 {
					continue
				}
				m := &maps[s.mapping%len(maps)]
				switch {
				case s.op == "unmap" && !m.mapped:
					want = sim.Misuse
				case s.op == "unmap":
				case !m.mapped:
					want = IOMMUFault
				case m.gen != gens[m.page], fenced[m.page]:
					want = StaleDMA
				}
				if s.op == "unmap" {
					m.mapped = false
					iommu.Unmap(st, m.segs)
					continue
				}
				data := Bytes("dma", uint64(1000*i), 300)
				iommu.DMA(st, FromDevice, []Segment{{m.segs[0].Addr + 700, 300}}, data)
				check(st, Peek(pages[m.page:], 700, 300), data)
			}
		})
		var got sim.Kind
		if f != nil {
			got = f.Kind
		}
		require.Equal(t, want, got, "%v", f)
	})
}

// touched tells how the last event of the run accesses each page.
func touched(m *sim.Machine, pages []*Page) []string {
	out := make([]string, len(pages))
	e := &m.Events()[len(m.Events())-1]
	for _, a := range m.Extra(e) {
		for i, p := range pages {
			if a.Obj == &p.obj {
				out[i] = map[sim.Class]string{sim.Read: "r", sim.Write: "w"}[a.Class]
			}
		}
	}
	return out
}

// A transfer declares an access of every page that it reaches, since that is what
// tells a strategy that it races with a move.
func TestDMADeclaresItsPages(t *testing.T) {
	accesses := func(dir Direction, segs func(base BusAddr) []Segment) []string {
		m := sim.NewMachine()
		defer m.Close()
		var pages []*Page
		require.Nil(t, m.Run(sim.Default{}, func(st *sim.Task) {
			b := newBoard(st, 3)
			pages = b.pages
			s := segs(b.at(0))
			var data Data
			if dir == FromDevice {
				data = Zeroes(total(s))
			}
			b.iommu.DMA(st, dir, s, data)
		}).Failure)
		return touched(m, pages)
	}
	require.Equal(t, []string{"w", "", ""}, accesses(FromDevice, func(a BusAddr) []Segment { return []Segment{{a, SectorSize}} }))
	require.Equal(t, []string{"", "r", ""}, accesses(ToDevice, func(a BusAddr) []Segment { return []Segment{{a + PageSize + 512, 512}} }))
	require.Equal(t, []string{"r", "r", "r"}, accesses(ToDevice, func(a BusAddr) []Segment { return []Segment{{a, 3 * PageSize}} }))
	require.Equal(t, []string{"w", "w", ""}, accesses(FromDevice, func(a BusAddr) []Segment {
		return []Segment{{a + 512, PageSize - 512}, {a + PageSize, 512}}
	}))
	t.Run("a segment that begins inside a page and is longer than one", func(t *testing.T) {
		require.Equal(t, []string{"w", "w", ""}, accesses(FromDevice, func(a BusAddr) []Segment { return []Segment{{a + 512, PageSize}} }))
	})
}

// Giving and copying declare all their pages, not only the first.
func TestMoveDeclaresItsPages(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	var from, to []*Page
	require.Nil(t, m.Run(sim.Default{}, func(st *sim.Task) {
		memory := &Memory{}
		from, to = memory.Alloc(st, "a", 2), memory.Alloc(st, "a", 2)
		Copy(st, to, from)
	}).Failure)
	require.Equal(t, []string{"w", "w"}, touched(m, to))
	require.Equal(t, []string{"", "r"}, touched(m, from)) // the first is the object of the event
	require.Nil(t, m.Run(sim.Default{}, func(st *sim.Task) {
		from = (&Memory{}).Alloc(st, "a", 2)
		Give(st, from, "b")
	}).Failure)
	require.Equal(t, []string{"", "w"}, touched(m, from))
}
