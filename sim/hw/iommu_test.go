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
		got := b.read(st)
		for i, s := range got {
			require.Equal(t, Stamp{"vram", uint64(i), 0}, s)
		}
		b.write(st, "drive")
		require.Equal(t, Stamp{"drive", 11, 0}, Sector(b.pages, 11))

		// Parts of pages, in another order than the buffer's.
		data := []Stamp{{"x", 0, 0}, {"y", 0, 0}}
		b.iommu.DMA(st, FromDevice, []Segment{{b.base + PageSize, SectorSize}, {b.base + 3*SectorSize, SectorSize}}, data)
		require.Equal(t, "x", Sector(b.pages, SectorsPerPage).Source)
		require.Equal(t, "y", Sector(b.pages, 3).Source)
		require.Equal(t, "drive", Sector(b.pages, 4).Source)
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
		b.base = b.iommu.Map(st, b.pages)
		b.write(st, "drive")
	})
}

func TestDMAFaults(t *testing.T) {
	fails(t, IOMMUFault, "dev0: DMA write of 4096 bytes at bus address 0xfe000000 faults; it was mapped by init (task 0)", func(st *sim.Task) {
		b := newBoard(st, 1)
		b.iommu.Unmap(st, b.base, 1)
		b.write(st, "drive")
	})
	fails(t, IOMMUFault, "and unmapped by second (task 2)", func(st *sim.Task) {
		b := newBoard(st, 1)
		st.Go("first", func(*sim.Task) {})
		st.Go("second", func(st *sim.Task) { b.iommu.Unmap(st, b.base, 1) })
		st.Explore()
		b.read(st)
	})
	for _, a := range []BusAddr{0, firstBus - PageSize, firstBus + 2*PageSize, Poison} {
		fails(t, IOMMUFault, fmt.Sprintf("DMA read of 512 bytes at bus address %#x faults; it was never mapped", uint64(a)), func(st *sim.Task) {
			b := newBoard(st, 2)
			b.iommu.DMA(st, ToDevice, []Segment{{a, SectorSize}}, make([]Stamp, 1))
		})
	}
}

func TestUnmap(t *testing.T) {
	passes(t, func(st *sim.Task) {
		b := newBoard(st, 3)
		require.Equal(t, 3, b.iommu.Mapped())
		b.iommu.Unmap(st, b.base+PageSize, 1)
		require.Equal(t, 2, b.iommu.Mapped())
		require.Equal(t, " (page 0x2a1)", b.iommu.Describe(b.base+PageSize+17), "an address has a history")
		require.Empty(t, b.iommu.Describe(Poison))
		again := b.iommu.Map(st, b.pages[1:2])
		require.NotEqual(t, b.base+PageSize, again, "addresses are never used again")
	})
	fails(t, sim.Misuse, "unmap of bus address 0xfe000000 of dev0, which is not mapped", func(st *sim.Task) {
		b := newBoard(st, 1)
		b.iommu.Unmap(st, b.base, 1)
		b.iommu.Unmap(st, b.base, 1)
	})
	fails(t, sim.Misuse, "0xfe001000", func(st *sim.Task) {
		b := newBoard(st, 1)
		b.iommu.Unmap(st, b.base, 2)
	})
}

// Unmapping and moving race with a transfer in both ways; the exploration finds each.
func TestDMARaces(t *testing.T) {
	for kind, spoil := range map[sim.Kind]func(st *sim.Task, b *board){
		IOMMUFault: func(st *sim.Task, b *board) { b.iommu.Unmap(st, b.base, 1) },
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
	type mapping struct {
		base      BusAddr
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
			var maps []mapping
			for i, s := range steps {
				page := pages[s.page : s.page+1]
				switch s.op {
				case "map":
					maps = append(maps, mapping{iommu.Map(st, page), s.page, gens[s.page], true})
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
					iommu.Unmap(st, m.base, 1)
					continue
				}
				data := Stamp{"dma", uint64(i), 0}
				iommu.DMA(st, FromDevice, []Segment{{m.base + SectorSize, SectorSize}}, []Stamp{data})
				if got := Sector(pages[m.page:], 1); got != data {
					st.Fail(DataCorruption, "%v instead of %v", got, data)
				}
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
			s := segs(b.base)
			n := 0
			for _, x := range s {
				n += x.Len / SectorSize
			}
			b.iommu.DMA(st, dir, s, make([]Stamp, n))
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

// A transfer that begins inside a sector has no stamps to move, and is refused.
func TestDMAOfPartialSector(t *testing.T) {
	fails(t, sim.Misuse, "", func(st *sim.Task) {
		b := newBoard(st, 1)
		b.iommu.DMA(st, FromDevice, []Segment{{b.base + 256, SectorSize}}, []Stamp{{"drive", 0, 0}})
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
