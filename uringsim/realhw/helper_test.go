//go:build linux

package realhw

import (
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"dmasim/sim"
	"dmasim/sim/hw"
)

// needReal opens a backend, or skips the test, naming what is missing. DMASIM_DRIVE names a
// block device to be used, which is overwritten.
func needReal(t testing.TB, overlap bool) *Backend {
	t.Helper()
	b, err := Open(Options{Dir: t.TempDir(), Drive: os.Getenv("DMASIM_DRIVE"), Overlap: overlap})
	for _, missing := range []error{unix.ENOSYS, unix.EPERM, unix.EACCES, unix.ENOMEM, unix.ENOSPC} {
		if errors.Is(err, missing) {
			t.Skip(err)
		}
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

// board is some pages of "vram", mapped for a drive.
type board struct {
	iommu *hw.IOMMU
	pages []*hw.Page
	segs  []hw.Segment
	real  hw.Backend
}

func newBoard(t *sim.Task, pages int) *board {
	m := hw.NewMemory(t)
	b := &board{iommu: hw.NewIOMMU(t, "drive"), pages: m.Alloc(t, "vram", pages), real: hw.BackendOf(t)}
	hw.Fill(b.pages, "vram")
	b.segs = b.iommu.Map(t, b.pages, hw.Bidirectional)
	return b
}

// read transfers n bytes of the drive, which nobody wrote, to the pages.
func (b *board) read(t *sim.Task, at uint64, n int) (hw.Data, *hw.Fault) {
	return b.iommu.Transfer(t, hw.Transfer{
		Dir: hw.FromDevice, Segs: []hw.Segment{{Addr: b.segs[0].Addr, Len: n}}, Data: hw.Bytes("drive", at, n), Medium: "drive", At: at,
	})
}

// write transfers n bytes of the pages to the drive.
func (b *board) write(t *sim.Task, at uint64, n int) (hw.Data, *hw.Fault) {
	return b.iommu.Transfer(t, hw.Transfer{
		Dir: hw.ToDevice, Segs: []hw.Segment{{Addr: b.segs[0].Addr, Len: n}}, Medium: "drive", At: at,
	})
}

// session is the one that the run is on.
func (b *board) session() *session { return b.real.(*session) }

// same fails the run unless data is as it must be.
func same(t *sim.Task, got, want hw.Data) {
	if i := got.Diff(want); i >= 0 {
		t.Fail(hw.DataCorruption, "byte %d is %s, not %s", i, got.From(i), want.From(i))
	}
}

// once runs body on a machine of its own.
func once(t testing.TB, b *Backend, body func(*sim.Task)) *sim.Failure {
	m := sim.NewMachine()
	defer m.Close()
	r := m.Run(sim.Default{}, b.Program(body))
	require.NoError(t, b.Err())
	return r.Failure
}
