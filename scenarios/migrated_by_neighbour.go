package scenarios

import (
	"dmasim/dmabufsim"
	"dmasim/iter"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

var migratedByNeighbour = &Scenario{
	Name: "migrated-by-neighbour",
	Story: "The buffer is in the memory of a GPU, the drive reaches it there, and its mapping exists. A network card that does " +
		"not reach it imports the same buffer; its page fault has the buffer migrated inside map_dma_buf, with the " +
		"reservation lock held, while the drive is reading. The drive's mapping goes under it, and both must see the same data.",
	Quick: explore.Coverage{Bound: explore.Delays, N: 2},
	Full:  explore.Coverage{Bound: explore.All},
	body: func(c Case) func(*sim.Task) {
		return func(st *sim.Task) {
			t, w := boot(st, c, config{exporter: "pipelined", vram: 2, peer: hw.PeerThruHostBridge})
			w.do(t, transfer{n: page}) // makes the mapping
			nic, err := dmabufsim.NewRDMA(t, w.exp.Buf, hw.NewIOMMU(t.Task, "mlx5"), false)
			if err != kernel.OK {
				t.Fail(iter.WrongErrno, "the network card's attach failed with %v", err)
			}
			want := w.ref.buffers[0].Slice(0, hw.PageSize)
			t.Go("io_uring", func(t *kernel.Task) { w.do(t, transfer{at: page, n: page, lba: page}) })
			t.Go("mlx5", func(t *kernel.Task) {
				got, err := nic.Transfer(t, hw.ToDevice, 0, nil)
				if err != kernel.OK || !got.Equal(want) {
					t.Fail(hw.DataCorruption, "the network card read %v (%v)", got, err)
				}
			})
			t.Explore()
			nic.Close(t)
			w.teardown(t)
		}
	},
}
