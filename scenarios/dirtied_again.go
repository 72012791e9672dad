package scenarios

import (
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var dirtiedAgain = &Scenario{
	Name: "dirtied-again",
	Story: "A task writes one sector of a page of the drive from a registered dma-buf, past the page cache. Another " +
		"program writes the next sector of that page through a file that is not direct. A direct write first has " +
		"what is dirty in the cache written, and then drops the pages. One that became dirty in between is busy, and " +
		"the kernel does the write through the cache instead. The file is direct all the time; but the cache's copy " +
		"functions do not know the iterator's type, and count bytes that they do not move. The write says that it " +
		"succeeded, and the sector is what it was.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {
			{Kind: hw.DataCorruption, Fix: token.FixRetryBusy},
			// Who only refuses what goes through the cache fails a write that is right.
			{Kind: iter.WrongErrno, Fix: token.FixRetryBusy},
		},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{})
			other := w.queue.Open(0)
			buf := (&hw.Memory{}).Alloc(t.Task, "another program", 1)
			through := func(t *kernel.Task, dir hw.Direction, at, n uint64) (*kernel.Task, *iter.Kiocb, *iter.Iter) {
				i := iter.Kvecs(t, dir, []iter.Kvec{iter.Lowmem(buf, at, n)}, n)
				return t, &iter.Kiocb{File: other, Pos: int64(at)}, &i
			}
			w.do(t, transfer{write: true, n: 1}) // makes the mapping
			w.cpuWrite(t, transfer{n: 1})
			if n := other.Ops.ReadIter(through(t, hw.FromDevice, 0, hw.PageSize)); n != hw.PageSize {
				t.Fail(iter.WrongErrno, "a read into the page cache returned %s", result(n))
			}
			w.ref.asked += hw.PageSize
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{write: true, n: 1}) })
			t.Go("program", func(t *kernel.Task) {
				t.Say("", "write sector 1 through the page cache")
				if n := other.Ops.WriteIter(through(t, hw.ToDevice, sector, sector)); n != sector {
					t.Fail(iter.WrongErrno, "a write through the page cache returned %s", result(n))
				}
			})
			t.Explore()
			w.queue.Sync(t)
			w.ref.wroteElse(1, 1)
			w.teardown(t)
		}
	},
}
