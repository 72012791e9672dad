package scenarios

import (
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
	"dmasim/uringsim"
)

var hugePages = &Scenario{
	Name: "huge-pages",
	Story: "A task has a dma-buf in its table of buffers and registers memory of its own beside it, which is a compound page. io_uring looks " +
		"whether that is in the table already, through the vectors of every buffer there. The posted design says that a dma-buf has " +
		"one, and never writes it. It needs no race: an exporter moves the buffer meanwhile.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: sim.Bug, Fix: token.FixNoVectors}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{})
			w.do(t, transfer{n: page}) // makes the mapping
			const addr = 0x200000
			huge := (&hw.Memory{}).Alloc(t.Task, "user", 2)
			folio := &hw.Folio{Pages: len(huge)}
			for _, p := range huge {
				p.Folio = folio
			}
			r := uringsim.NewRing(t, 2)
			r.Mm, r.User = iter.NewMm(t, "user"), &uringsim.User{}
			r.Mm.Mmap(t, addr, huge, iter.PROT_READ|iter.PROT_WRITE)
			w.register(t, r, 0, w.exp.Buf)
			t.Go("io_uring", func(t *kernel.Task) {
				own := uringsim.RegBuffer{Iovec: &iter.Iovec{Base: addr, Len: 2 * hw.PageSize}}
				if _, err := r.UpdateBuffers(t, 1, 0, []uringsim.RegBuffer{own}); err != kernel.OK {
					t.Fail(iter.WrongErrno, "registration of a compound page failed with %v", err)
				}
			})
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			if got := r.User.Locked; got != int64(folio.Pages) {
				t.Fail(kernel.Leak, "%d page(s) of locked memory are accounted for, and a compound page of %d is registered", got, folio.Pages)
			}
			r.UnregisterBuffers(t)
			w.teardown(t)
		}
	},
}
