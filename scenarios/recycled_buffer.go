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

var recycledBuffer = &Scenario{
	Name: "recycled-buffer",
	Story: "A task registers two pages of its own, which count against its limit of locked memory, and " +
		"unregisters them. Then it registers a dma-buf in the same slot, whose io_mapped_ubuf comes from the " +
		"ring's cache and still says that it stands for two pinned pages. When it is released they are taken " +
		"off the account once more. It needs no race.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: kernel.Leak, Fix: token.FixInitImu}, {Kind: hw.StaleDMA, Fix: token.FixPublishUnderResv}},
	},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{})
			r := w.rings[0]
			pages := (&hw.Memory{}).Alloc(t.Task, "user", 2)
			r.Mm, r.User = iter.NewMm(t, "user"), &uringsim.User{}
			r.Mm.Mmap(t, 0x10000, pages, iter.PROT_READ|iter.PROT_WRITE)
			t.Go("io_uring", func(t *kernel.Task) {
				own := uringsim.RegBuffer{Iovec: &iter.Iovec{Base: 0x10000, Len: 2 * hw.PageSize}}
				r.UnregisterBuffer(t, 0)
				if _, err := r.UpdateBuffers(t, 0, 0, []uringsim.RegBuffer{own}); err != kernel.OK {
					t.Fail(iter.WrongErrno, "registration of two pages failed with %v", err)
				}
				r.UnregisterBuffer(t, 0)
				r.RegisterDmaBuf(t, 0, w.file, w.exp.Buf)
				w.do(t, transfer{n: page})
			})
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			w.teardown(t)
			if n := r.User.Locked; n != 0 {
				t.Fail(kernel.Leak, "%d page(s) of locked memory are accounted for, with no buffer registered", n)
			}
		}
	},
}
