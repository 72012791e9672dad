package hw

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

// lists is a table of two pages that a device reads.
func lists(st *sim.Task, c Config) (*board, []*Page) {
	b := newBoardWith(st, 1, c, Bidirectional)
	pages := b.memory.Table(st, "lists", 2)
	b.segs = b.iommu.MapCoherent(st, pages)
	st.Step(sim.Op{Verb: "something"})
	for i := range 2 * WordsPerPage {
		StoreWords(st, pages, i, uint64(i)<<40)
	}
	return b, pages
}

func TestWords(t *testing.T) {
	passes(t, func(st *sim.Task) {
		b, pages := lists(st, Config{})
		w := make([]uint64, 5)
		require.Nil(t, b.iommu.ReadWords(st, b.at(PageSize-16), w))
		require.Equal(t, []uint64{510 << 40, 511 << 40, 512 << 40, 513 << 40, 514 << 40}, w)
		require.Nil(t, b.iommu.WriteWords(st, b.at(PageSize-8), []uint64{1, 2}))
		require.Equal(t, []uint64{510 << 40, 1, 2, 513 << 40}, []uint64{
			LoadWord(st, pages, 510), LoadWord(st, pages, 511), LoadWord(st, pages, 512), LoadWord(st, pages, 513)})

		// A device that takes a list for data, and data for a list.
		b.iommu.DMA(st, FromDevice, []Segment{{b.at(0), 512}}, Bytes("drive", 0, 512))
		require.Nil(t, b.iommu.ReadWords(st, b.at(512-8), w))
		require.Equal(t, Data{word(w[0], 8)}, Literal(Bytes("drive", 504, 8).Bytes()))
		require.Equal(t, []uint64{64 << 40, 65 << 40, 66 << 40, 67 << 40}, w[1:])
		got := b.iommu.DMA(st, ToDevice, []Segment{{b.at(513 * 8), 8}}, nil)
		require.Equal(t, []byte{0, 0, 0, 0, 0, 1, 2, 0}, got.Bytes())
	})
	fails(t, sim.Misuse, "0xfe001004, which is no multiple of 8", func(st *sim.Task) {
		b, _ := lists(st, Config{})
		b.iommu.ReadWords(st, b.at(4), make([]uint64, 1))
	})
}

// Words fault and are stale as any access is.
func TestWordsAreChecked(t *testing.T) {
	passes(t, func(st *sim.Task) {
		b, _ := lists(st, Config{})
		w := []uint64{7, 7}
		f := b.iommu.ReadWords(st, b.at(2*PageSize-8), w)
		require.Equal(t, b.at(2*PageSize), f.Addr)
		require.Equal(t, []uint64{511*1<<40 + 512<<40, 7}, w, "what came before is there")
		require.NotNil(t, b.iommu.WriteWords(st, Poison, w))
		require.Len(t, b.iommu.Faults(), 2)
	})
	fails(t, StaleDMA, `dev0 read 16 bytes from page`, func(st *sim.Task) {
		b, pages := lists(st, Config{})
		Give(st, pages, "other")
		b.iommu.ReadWords(st, b.at(0), make([]uint64, 2))
	})
}

// A list that the driver writes anew while the device still reads it: the device gets
// other addresses, and no hardware minds.
func TestListIsReusedTooEarly(t *testing.T) {
	reuse := func(wait bool) func(st *sim.Task) {
		return func(st *sim.Task) {
			b, pages := lists(st, Config{})
			device := st.Go("device", func(st *sim.Task) {
				w := make([]uint64, 3)
				st.Step(sim.Op{Verb: "fetch", Obj: &pages[0].obj, Class: sim.Read})
				b.iommu.ReadWords(st, b.at(0), w)
				if fmt.Sprint(w) != fmt.Sprint([]uint64{0, 1 << 40, 2 << 40}) {
					st.Fail(DataCorruption, "the list is %x", w)
				}
			})
			st.Go("driver", func(st *sim.Task) {
				if wait {
					st.Join(device)
				}
				st.Step(sim.Op{Verb: "next list", Obj: &pages[0].obj})
				StoreWords(st, pages, 0, 9, 8, 7)
			})
			st.Explore()
		}
	}
	sometimes(t, DataCorruption, "the list is [9 8 7]", reuse(false))
	always(t, reuse(true))
}

// Walking a list is declared once for each page, and takes no memory.
func TestWordsAreDeclared(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	var pages []*Page
	require.Nil(t, m.Run(sim.Default{}, func(st *sim.Task) {
		var b *board
		b, pages = lists(st, Config{})
		w := make([]uint64, WordsPerPage)
		st.Step(sim.Op{Verb: "fetch"})
		require.Zero(t, testing.AllocsPerRun(10, func() { b.iommu.ReadWords(st, b.at(8), w[:8]) }))
		st.Step(sim.Op{Verb: "fetch"})
		b.iommu.ReadWords(st, b.at(8), w)
	}).Failure)
	require.Equal(t, []string{"r", "r"}, touched(m, pages))
	require.Len(t, m.Extra(&m.Events()[len(m.Events())-1]), 3, "and the IOMMU")
}
