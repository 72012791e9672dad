package scenarios

import (
	"dmasim/dmabufsim"
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
)

var pinnedAtAttach = &Scenario{
	Name: "pinned-at-attach",
	Story: "The exporter is one that keeps a buffer where it is for as long as anybody is attached, and tells nobody of a move (i915). " +
		"A task reads, without a mapping, while the exporter would like to move the buffer and is refused. When the buffer is " +
		"unregistered it can be moved: the attachment has gone with the registration.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{exporter: "pinning-at-attach", vram: 6})
			b := w.bufs[0]
			t.Go("io_uring", func(t *kernel.Task) {
				w.do(t, transfer{n: page})
				w.rings[0].UnregisterBuffer(t, 0)
			})
			t.Go("exporter", func(t *kernel.Task) {
				if err := b.bo.Move(t, dmabufsim.VRAM); err != kernel.OK && err != kernel.EBUSY {
					t.Fail(iter.WrongErrno, "the move failed with %v", err)
				}
			})
			t.Explore()
			if err := b.bo.Move(t, dmabufsim.VRAM); err != kernel.OK {
				t.Fail(kernel.Leak, "nobody is registered any more, and the buffer cannot be moved (%v)", err)
			}
			w.release(t)
		}
	},
}
