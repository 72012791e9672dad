package hw

import (
	"dmasim/internal/simtest"
	"dmasim/sim"
)

// on gives bodies the first task as it is.
var (
	on            = simtest.On[*sim.Task](func(st *sim.Task) *sim.Task { return st })
	passes, fails = on.Passes, on.Fails
)

// board is some pages of an owner, mapped for a device.
type board struct {
	memory *Memory
	iommu  *IOMMU
	pages  []*Page
	base   BusAddr
}

func newBoard(st *sim.Task, pages int) *board {
	b := &board{memory: &Memory{}, iommu: NewIOMMU(st, "dev0")}
	b.pages = b.memory.Alloc(st, "vram", pages)
	Fill(b.pages, "vram")
	b.base = b.iommu.Map(st, b.pages)
	return b
}

// whole is one segment over all pages.
func (b *board) whole() []Segment { return []Segment{{b.base, len(b.pages) * PageSize}} }

func (b *board) read(st *sim.Task) []Stamp {
	data := make([]Stamp, len(b.pages)*SectorsPerPage)
	b.iommu.DMA(st, ToDevice, b.whole(), data)
	return data
}

func (b *board) write(st *sim.Task, source string) {
	data := make([]Stamp, len(b.pages)*SectorsPerPage)
	for i := range data {
		data[i] = Stamp{source, uint64(i), 0}
	}
	b.iommu.DMA(st, FromDevice, b.whole(), data)
}
