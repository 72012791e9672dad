package hw

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// run runs body once by the default rule.
func run(body func(st *sim.Task)) *sim.Failure {
	m := sim.NewMachine()
	defer m.Close()
	return m.Run(sim.Default{}, body).Failure
}

func passes(t require.TestingT, body func(st *sim.Task)) {
	f := run(body)
	require.Nil(t, f, "%v", f)
}

func fails(t *testing.T, kind sim.Kind, message string, body func(st *sim.Task)) {
	t.Helper()
	f := run(body)
	require.NotNil(t, f, "nothing was found; want %s: %s", kind, message)
	require.Equal(t, kind, f.Kind, f.Message)
	require.Contains(t, f.Message, message)
}

// all explores every interleaving.
func all(body func(st *sim.Task)) *explore.Report {
	s := explore.NewDFS(explore.Coverage{Bound: explore.All})
	return explore.Run(context.Background(), body, s, explore.Options{StepLimit: 200, Executions: 100_000})
}

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
