//go:build linux

package realhw

import (
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"dmasim/internal/simtest"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
)

// racer is a program with a failure, so that all ways to end a run are there.
func racer(st *sim.Task) {
	w := newBoard(st, 2)
	st.Go("drive", func(t *sim.Task) { w.read(t, 0, 8192) })
	st.Go("exporter", func(t *sim.Task) {
		fresh := w.pages // what a move does, without telling anybody
		hw.Give(t, fresh, "evicted")
	})
	st.Explore()
}

// Descriptors and files are gone when a backend is closed, whatever ran on it.
func TestNothingIsLeft(t *testing.T) {
	needReal(t, false)
	before := simtest.OpenFds(t)
	dir := t.TempDir()
	for _, overlap := range []bool{false, true} {
		b, err := Open(Options{Dir: dir, Drive: os.Getenv("DMASIM_DRIVE"), Overlap: overlap})
		require.NoError(t, err)
		r := explore.Run(t.Context(), b.Program(racer), explore.NewRandom(1), explore.Options{Executions: 100, Workers: 2})
		require.NotNil(t, r.Found)
		require.Equal(t, hw.StaleDMA, r.Found.Failure.Kind)
		r.Found.Machine.Close()
		require.NoError(t, errors.Join(b.Err(), b.Close()))
	}
	require.Equal(t, before, simtest.OpenFds(t))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

// More machines than there may be sessions take turns.
func TestMachinesTakeTurns(t *testing.T) {
	b := needReal(t, false)
	r := explore.Run(t.Context(), b.Program(func(st *sim.Task) {
		w := newBoard(st, 1)
		st.Go("reader", func(t *sim.Task) { w.read(t, 0, 4096) })
		st.Go("looker", func(t *sim.Task) { hw.Load(t, w.pages, 0, 4096) })
		st.Explore()
	}), explore.NewRandom(1), explore.Options{Executions: 300, Workers: 3 * sessions})
	require.Nil(t, r.Found)
	require.NoError(t, b.Err())
	require.LessOrEqual(t, len(b.idle), sessions)
	require.Zero(t, b.busy)
}

// After its first error a backend does nothing more, tells who made it, and runs go on with
// the model alone.
func TestErrorsOfThePath(t *testing.T) {
	needReal(t, false)
	var told []error
	b, err := Open(Options{Dir: t.TempDir(), Failed: func(err error) { told = append(told, err) }})
	require.NoError(t, err)
	m := sim.NewMachine()
	defer m.Close()
	body := b.Program(func(st *sim.Task) {
		w := newBoard(st, 1)
		if w.real != nil {
			unix.Close(w.session().store.Fd())
		}
		w.write(st, 0, 4096)
		same(st, hw.Peek(w.pages, 0, 4096), hw.Bytes("vram", 0, 4096))
	})
	for range 3 {
		require.Nil(t, m.Run(sim.Default{}, body).Failure)
	}
	require.Len(t, told, 1)
	require.ErrorIs(t, told[0], unix.EBADF)
	require.Equal(t, told[0], b.Err())
	require.Error(t, b.Err())
	b.Close()
}

// What is missing is said in a sentence.
func TestRefusals(t *testing.T) {
	needReal(t, false)
	dir := t.TempDir()
	for _, c := range []struct {
		resource int
		limit    uint64
		sentence string
	}{
		{unix.RLIMIT_FSIZE, 100 << 10, "the limit of file sizes (RLIMIT_FSIZE) is too low"},
		{unix.RLIMIT_NOFILE, uint64(simtest.OpenFds(t)) + 2, "too many open files"},
	} {
		var before unix.Rlimit
		require.NoError(t, unix.Getrlimit(c.resource, &before))
		require.NoError(t, unix.Setrlimit(c.resource, &unix.Rlimit{Cur: c.limit, Max: before.Max}))
		_, err := Open(Options{Dir: dir})
		require.NoError(t, unix.Setrlimit(c.resource, &before))
		require.ErrorContains(t, err, "the real path cannot be used: ")
		require.ErrorContains(t, err, c.sentence)
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
	_, err = Open(Options{Dir: dir + "/missing"})
	require.ErrorContains(t, err, "the real path cannot be used: a file for the store: ")
	_, err = Open(Options{Drive: "/dev/null"})
	require.ErrorContains(t, err, "the real path cannot be used: /dev/null is no block device")
}

// BenchmarkRun is what a run costs that reads, writes and looks at one page.
func BenchmarkRun(b *testing.B) {
	back := needReal(b, false)
	m := sim.NewMachine()
	defer m.Close()
	body := back.Program(func(st *sim.Task) {
		w := newBoard(st, 1)
		w.read(st, 0, 4096)
		w.write(st, 4096, 4096)
		hw.Peek(w.pages, 0, 4096)
	})
	for b.Loop() {
		if r := m.Run(sim.Default{}, body); r.Failure != nil {
			b.Fatal(r.Failure)
		}
	}
}
