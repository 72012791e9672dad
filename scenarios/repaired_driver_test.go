package scenarios

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/iter"
	"dmasim/nvmesim"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// onRepaired explores a program on the repaired design: few delays, and then at random.
func onRepaired(t *testing.T, cfg config, body func(*kernel.Task, *world)) {
	t.Helper()
	d, err := FindDesign("rfc-v2-repaired")
	require.NoError(t, err)
	program := func(st *sim.Task) {
		k, w := boot(st, Case{Design: d}, cfg)
		body(k, w)
	}
	whole.Survives(t, fewDelays(), program)
	r := explore.Run(t.Context(), program, explore.NewRandom(1), explore.Options{Executions: 500})
	if f := r.Found; f != nil {
		defer f.Machine.Close()
		t.Fatal(f.Failure, f.Failure.Detail)
	}
}

// A read that has to make its mapping while the driver is unbound gets it before that, and loses it
// again, or fails: there is nobody left who could map.
func TestReadWhileUnbinding(t *testing.T) {
	onRepaired(t, config{drive: nvmesim.Config{Recovers: true}}, func(t *kernel.Task, w *world) {
		t.Go("io_uring", func(t *kernel.Task) {
			x := transfer{n: page}
			w.submit(t, x)
			if c := w.rings[0].WaitCQE(t); c.Res >= 0 {
				w.expect(t, x, c)
			}
		})
		t.Go("unbind", func(t *kernel.Task) { w.driver.Unbind(t) })
		t.Explore()
		w.teardown(t)
	})
}

// A buffer that is registered while the driver goes is refused, or let go of like all others.
func TestRegisterWhileUnbinding(t *testing.T) {
	onRepaired(t, config{drive: nvmesim.Config{Recovers: true}}, func(t *kernel.Task, w *world) {
		t.Go("io_uring", func(t *kernel.Task) {
			if err := w.rings[0].RegisterDmaBuf(t, 0, w.file, w.bufs[0].buf); err == kernel.OK {
				x := transfer{n: page}
				w.submit(t, x)
				if c := w.rings[0].WaitCQE(t); c.Res >= 0 {
					w.expect(t, x, c)
				}
			} else if err != kernel.ENODEV && err != kernel.EFAULT {
				t.Fail(iter.WrongErrno, "registration of a buffer failed with %v", err)
			}
		})
		t.Go("unbind", func(t *kernel.Task) { w.driver.Unbind(t) })
		t.Explore()
		w.teardown(t)
	})
}

// While memory is exhausted the PRP lists that are kept in reserve are for one request after the
// other, with a token or without.
func TestListsInReserve(t *testing.T) {
	onRepaired(t, config{pages: 6}, func(t *kernel.Task, w *world) {
		w.do(t, transfer{n: page}) // makes the mapping
		t.ExhaustWorkers(true)
		for i := range 2 {
			t.Go("io_uring", func(t *kernel.Task) {
				x := transfer{at: 3 * i * page, n: 3 * page, lba: 10 * page * i}
				w.submitAs(t, x, 0)
			})
		}
		t.Explore()
		t.ExhaustWorkers(false)
		for i := range 2 {
			w.expect(t, transfer{at: 3 * i * page, n: 3 * page, lba: 10 * page * i}, w.rings[0].WaitCQE(t))
		}
		w.teardown(t)
	})
	onRepaired(t, config{}, func(t *kernel.Task, w *world) {
		t.ExhaustWorkers(true)
		for i := range 2 {
			t.Go("reader", func(t *kernel.Task) {
				buf := (&hw.Memory{}).Alloc(t.Task, "reader", 3)
				const n = 3 * hw.PageSize
				to := iter.Kvecs(t, hw.FromDevice, []iter.Kvec{iter.Lowmem(buf, 0, n)}, n)
				if got := w.file.Ops.ReadIter(t, &iter.Kiocb{File: w.file, Pos: int64(i) * n}, &to); got != n {
					t.Fail(iter.WrongErrno, "a read of three pages returned %s", result(got))
				}
				if data := hw.Peek(buf, 0, n); !data.Equal(w.ref.drive(uint64(i*3*page), 3*page)) {
					t.Fail(hw.DataCorruption, "the read brought %v", data)
				}
				w.ref.asked += n
			})
		}
		t.Explore()
		t.ExhaustWorkers(false)
		w.teardown(t)
	})
}
