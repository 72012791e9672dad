package scenarios

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/iter"
	"dmasim/nvmesim"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// onWorld runs body on a world of the design drain, and returns what failed.
func onWorld(t *testing.T, body func(t *kernel.Task, w *world)) *sim.Failure {
	return onWorldOf(t, config{}, body)
}

func onWorldOf(t *testing.T, cfg config, body func(t *kernel.Task, w *world)) *sim.Failure {
	d, err := FindDesign("drain")
	require.NoError(t, err)
	m := sim.NewMachine()
	defer m.Close()
	return m.Run(sim.Default{}, func(st *sim.Task) {
		t, w := boot(st, Case{Design: d}, cfg)
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

// What was transferred twice is found, whether the driver recovers or not. If it does, what was
// cancelled is tried again, and only what was answered counts.
func TestOnce(t *testing.T) {
	recovers := config{drive: nvmesim.Config{Recovers: true}}
	answered := uint64(0)
	require.Nil(t, onWorldOf(t, recovers, func(t *kernel.Task, w *world) {
		w.ctrl.Inject(nvmesim.Fault{What: nvmesim.Hang})
		w.do(t, transfer{n: page})
		answered = w.driver.Answered()
	}))
	require.EqualValues(t, page*sector, answered)
	for _, cfg := range []config{{}, recovers} {
		for _, off := range []int{-1, 1} {
			f := onWorldOf(t, cfg, func(t *kernel.Task, w *world) {
				w.do(t, transfer{n: page})
				w.do(t, transfer{n: page})
				w.ref.asked += uint64(off * page * sector)
				w.ref.sure += uint64(off * page * sector)
			})
			require.NotNil(t, f)
			require.Equal(t, hw.DataCorruption, f.Kind)
		}
	}
}

// A transfer that must fail, and does not, is found.
func TestMustFail(t *testing.T) {
	for _, must := range []func(w *world, x *transfer){
		func(w *world, _ *transfer) { w.torn = true },
		func(_ *world, x *transfer) { x.late = true },
	} {
		f := onWorld(t, func(t *kernel.Task, w *world) {
			x := transfer{n: page}
			must(w, &x)
			w.submit(t, x)
			w.expect(t, x, w.rings[0].WaitCQE(t))
		})
		require.NotNil(t, f)
		require.Equal(t, iter.WrongErrno, f.Kind)
	}
}

// Which errors a transfer may end with depends on what the world has: no error is one of all worlds.
func TestMayFail(t *testing.T) {
	errors := []kernel.Errno{kernel.ENOMEM, kernel.ENODEV, kernel.EIO, kernel.EREMOTEIO, kernel.EINVAL, kernel.EOPNOTSUPP, kernel.EFAULT, kernel.EAGAIN}
	for _, c := range []struct {
		name string
		cfg  config
		make func(t *kernel.Task, w *world)
		may  []kernel.Errno
	}{
		{"as usual", config{}, func(*kernel.Task, *world) {}, nil},
		{"memory may be short", config{failures: 1}, func(*kernel.Task, *world) {}, []kernel.Errno{kernel.ENOMEM}},
		{"a buffer may be revoked", config{}, func(_ *kernel.Task, w *world) { w.bufs[0].forgets = true }, []kernel.Errno{kernel.ENODEV}},
		{"a layout may be refused", config{}, func(_ *kernel.Task, w *world) { w.ragged = true }, []kernel.Errno{kernel.EINVAL}},
		{"direct I/O may be gone", config{}, func(_ *kernel.Task, w *world) { w.losesDirect = true }, []kernel.Errno{kernel.EINVAL}},
		{"and be polled for", config{mode: "iopoll"}, func(_ *kernel.Task, w *world) { w.losesDirect = true }, []kernel.Errno{kernel.EINVAL, kernel.EOPNOTSUPP}},
		{"the driver recovers", config{drive: nvmesim.Config{Recovers: true}}, func(*kernel.Task, *world) {}, nil},
		{"the driver has gone", config{drive: nvmesim.Config{Recovers: true}}, func(t *kernel.Task, w *world) { w.driver.Remove(t) },
			[]kernel.Errno{kernel.ENODEV, kernel.EIO, kernel.EREMOTEIO}},
		{"the driver goes", config{}, func(_ *kernel.Task, w *world) { w.leaving = true },
			[]kernel.Errno{kernel.ENODEV, kernel.EIO, kernel.EREMOTEIO}},
	} {
		var may []kernel.Errno
		onWorldOf(t, c.cfg, func(t *kernel.Task, w *world) {
			c.make(t, w)
			for _, err := range errors {
				if w.mayFail(transfer{}, err) {
					may = append(may, err)
				}
			}
		})
		require.Equal(t, c.may, may, c.name)
	}
}
