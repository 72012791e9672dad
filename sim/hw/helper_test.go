package hw

import (
	"dmasim/internal/simtest"
	"dmasim/sim"
)

// on gives bodies the first task as it is.
var (
	on                               = simtest.On[*sim.Task](func(st *sim.Task) *sim.Task { return st })
	passes, fails, always, sometimes = on.Passes, on.Fails, on.Always, on.Sometimes
)

// board is some pages of an owner, mapped for a device.
type board struct {
	memory *Memory
	iommu  *IOMMU
	pages  []*Page
	segs   []Segment
}

func newBoard(st *sim.Task, pages int) *board {
	return newBoardWith(st, pages, Config{}, Bidirectional)
}

// newBoardWith is a board with another IOMMU; it gets the board's memory.
func newBoardWith(st *sim.Task, pages int, c Config, dir Direction) *board {
	b := &board{memory: &Memory{}, iommu: NewIOMMU(st, "dev0")}
	c.Memory = b.memory
	b.iommu.Configure(st, c)
	b.pages = b.memory.Alloc(st, "vram", pages)
	Fill(b.pages, "vram")
	b.segs = b.iommu.Map(st, b.pages, dir)
	return b
}

// at is the bus address of a byte.
func (b *board) at(off int) BusAddr { return b.segs[0].Addr + BusAddr(off) }

// size is the number of bytes.
func (b *board) size() int { return len(b.pages) * PageSize }

func (b *board) read(st *sim.Task) Data { return b.iommu.DMA(st, ToDevice, b.segs, nil) }

func (b *board) write(st *sim.Task, source string) {
	b.iommu.DMA(st, FromDevice, b.segs, Bytes(source, 0, b.size()))
}

// holds fails the run unless the pages hold n bytes of the source from off on.
func (b *board) holds(st *sim.Task, off, n int, source string) {
	check(st, Load(st, b.pages, off, n), Bytes(source, uint64(off), n))
}

// check fails the run unless data is as it must be.
func check(st *sim.Task, got, want Data) {
	if i := got.Diff(want); i >= 0 {
		st.Fail(DataCorruption, "byte %d is %s, not %s", i, got.From(i), want.From(i))
	}
}
