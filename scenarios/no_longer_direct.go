package scenarios

import (
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var noLongerDirect = &Scenario{
	Name: "no-longer-direct",
	Story: "A file is registered with O_DIRECT, which the registration asks for, and then fcntl() takes that " +
		"flag away. Whether an I/O is direct is decided anew at each issue: this one goes through the page " +
		"cache, whose copy functions do not know the iterator's type, and count bytes that they do not move. " +
		"The first page is in the cache already: that is read without waiting, and the rest in a worker. " +
		"The read says that it succeeded. It must fail instead. It needs no race.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: hw.DataCorruption, Fix: token.FixRefuseBuffered}},
	},
	Unfenced: true,
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{})
			w.file.Flags &^= iter.O_DIRECT
			w.readAhead(t, 0)
			t.Go("io_uring", func(t *kernel.Task) {
				x := transfer{n: 2 * page}
				w.submit(t, x)
				if e := w.rings[0].WaitCQE(t); e.Res < 0 {
					w.failed(t, e, kernel.EINVAL)
				} else {
					w.expect(t, x, e)
				}
			})
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			w.teardown(t)
		}
	},
}

// readAhead has a page of the drive in the page cache.
func (w *world) readAhead(t *kernel.Task, n int64) {
	buf := (&hw.Memory{}).Alloc(t.Task, "read ahead", 1)
	i := iter.Kvecs(t, hw.FromDevice, []iter.Kvec{iter.Lowmem(buf, 0, hw.PageSize)}, hw.PageSize)
	if n := w.file.Ops.ReadIter(t, &iter.Kiocb{File: w.file, Pos: n * hw.PageSize}, &i); n != hw.PageSize {
		t.Fail(iter.WrongErrno, "a read ahead returned %s", result(n))
	}
	w.ref.asked += hw.PageSize
}
