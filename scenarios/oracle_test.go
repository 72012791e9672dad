package scenarios

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// onWorld runs body on a world of the design drain, and returns what failed.
func onWorld(t *testing.T, body func(t *kernel.Task, w *world)) *sim.Failure {
	d, err := FindDesign("drain")
	require.NoError(t, err)
	m := sim.NewMachine()
	defer m.Close()
	return m.Run(sim.Default{}, func(st *sim.Task) {
		t, w := boot(st, Case{Design: d}, config{})
		body(t, w)
		w.teardown(t)
	}).Failure
}

// A transfer that failed may have done some of its sectors, but nothing else.
func TestPerhaps(t *testing.T) {
	x := transfer{at: 2, n: 4, lba: 8}
	read := func(w *world, at int, data hw.Data) { hw.Poke(w.bufs[0].backing(), at*sector, data) }
	corrupt := func(body func(t *kernel.Task, w *world)) {
		f := onWorld(t, body)
		require.NotNil(t, f)
		require.Equal(t, hw.DataCorruption, f.Kind)
	}
	require.Nil(t, onWorld(t, func(t *kernel.Task, w *world) { w.ref.perhaps(t, x) }))
	corrupt(func(t *kernel.Task, w *world) { // the wrong sector
		read(w, 3, w.ref.drive(10, 1))
		w.ref.perhaps(t, x)
	})
	corrupt(func(t *kernel.Task, w *world) { // beyond the end
		read(w, 6, w.ref.drive(12, 1))
		w.ref.perhaps(t, x)
	})
	corrupt(func(t *kernel.Task, w *world) { // what was not transferred is there
		read(w, 3, w.ref.drive(9, 1))
		w.ref.perhaps(t, x)
	})
	// One sector was transferred, or two, and one of them to where it was before.
	part := func(more int, times int) func(t *kernel.Task, w *world) {
		return func(t *kernel.Task, w *world) {
			w.do(t, transfer{at: 2, n: 1, lba: 8})
			for range times {
				asked := w.ref.asked
				w.do(t, transfer{at: 3, n: 1 + more, lba: 9})
				w.ref.asked = asked
			}
			b := &w.ref.buffers[0]
			*b = b.Overwrite(3*sector, hw.Bytes("vram", 3*sector, (1+more)*sector))
			w.ref.perhaps(t, x)
		}
	}
	require.Nil(t, onWorld(t, part(0, 1)))
	require.Nil(t, onWorld(t, part(1, 1)))
	require.Nil(t, onWorld(t, part(0, 2)), "the first sector may have been read again")
	corrupt(part(1, 2))
	corrupt(part(0, 3))

	write := transfer{write: true, at: 2, n: 4, lba: 8}
	wrote := func(y transfer) func(t *kernel.Task, w *world) {
		return func(t *kernel.Task, w *world) {
			w.do(t, y)
			w.ref.asked = 0
			clear(w.ref.blocks)
			w.ref.perhaps(t, write)
		}
	}
	require.Nil(t, onWorld(t, wrote(transfer{write: true, at: 3, n: 2, lba: 9})))
	corrupt(wrote(transfer{write: true, at: 3, n: 1, lba: 10}))
}
