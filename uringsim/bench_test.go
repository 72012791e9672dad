package uringsim

import (
	"testing"

	"dmasim/blkmq/dmatoken"
	"dmasim/dmabufsim"
	"dmasim/iter"
	"dmasim/nvmesim"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// BenchmarkRead is a 4 KiB read of a dma-buf through the ring, the block layer and the drive,
// at queue depth 32.
func BenchmarkRead(b *testing.B) {
	m := sim.NewMachine()
	defer m.Close()
	const n = 2000
	b.ReportAllocs()
	for done := 0; done < b.N; done += n {
		r := m.Run(sim.Default{}, on.Body(func(k *kernel.Task) {
			q, _ := nvmesim.NewDisk(k, "nvme0", 1<<30, 64, dmatoken.Design{})
			buf := dmabufsim.NewMoving(k, dmabufsim.NewBus(k), "vram", 32).Buf
			ring := NewRing(k, 1)
			f := q.Open(iter.O_DIRECT)
			if ring.RegisterDmaBuf(k, 0, f, buf) != kernel.OK {
				k.BUG("register")
			}
			ring.ClosedLoop(k, 32, n, func(i int) SQE {
				at := uint64(i%32) * hw.PageSize
				return SQE{Opcode: IORING_OP_READ_FIXED, File: f, Addr: at, Len: hw.PageSize, Off: int64(at)}
			}, func(CQE) {})
			ring.UnregisterBuffer(k, 0)
			buf.Put(k)
		}))
		if r.Failure != nil && r.Failure.Kind != "leak" {
			b.Fatal(r.Failure)
		}
	}
}
