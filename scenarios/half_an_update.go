package scenarios

import (
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
	"dmasim/token"
	"dmasim/uringsim"
)

var halfAnUpdate = &Scenario{
	Name: "half-an-update",
	Story: "A task updates two slots with dma-bufs in one call, and the second entry is in memory that cannot be read. An update that " +
		"fails in the middle says how many entries were done, so that its caller knows what is registered. The posted design " +
		"returns -EFAULT, as if nothing were, and the first slot has a new buffer. It needs no race: an exporter moves the " +
		"buffer meanwhile.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	Defects: map[string][]Defect{
		"rfc-v2": {{Kind: iter.WrongErrno, Fix: token.FixCountDone}},
	},
	Unfenced: true,
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{buffers: 2})
			t.Go("io_uring", func(t *kernel.Task) {
				good := uringsim.RegBuffer{Iovec: &iter.Iovec{}, Target: w.file, DmaBuf: w.bufs[1].buf}
				n, err := w.rings[0].UpdateBuffers(t, 0, uringsim.IORING_RSRC_F_EXTENDED_UPDATE,
					[]uringsim.RegBuffer{good, {Unreadable: true}})
				if has := w.rings[0].DmaBufAt(0) == w.bufs[1].buf; has && n != 1 {
					t.Fail(iter.WrongErrno, "an update that has done 1 entry returned %v", err)
				}
			})
			t.Go("exporter", func(t *kernel.Task) { w.exp.Move(t) })
			t.Explore()
			w.teardown(t)
		}
	},
}
