package nvmesim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/blkmq"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// What the posted code does wrong with data, each by the smallest request that shows it. The
// model follows the steps, and so does all this.

// PRE-3a frees lists by the address in the command. When a further list cannot be had, PRE-4
// has not written it yet, and what is there is the tag's previous command's.
func TestPostedListRunsOut(t *testing.T) {
	fails(t, sim.Bug, "dma_pool_free prp list page, 0x0 (bad dma)", func(k *kernel.Task) {
		r := newRig(k, Config{}, 514)
		r.premap(k)
		r.queue.Limits.MaxSegments, r.queue.Limits.MaxSectors = 1024, r.queue.Limits.MaxHWSectors
		k.K.FailAlloc(r.large.name, 2)
		r.queue.SubmitBio(k, r.tokenBio(blkmq.REQ_OP_READ, 0, 0, 514*4096))
	})
}

// PRE-2: the offset of a request beyond 2 GiB is negative.
func TestPostedOffsetIsSigned(t *testing.T) {
	fails(t, sim.Bug, "nvme reads entry -524288 of an array of 524289 addresses", func(k *kernel.Task) {
		r := newRig(k, Config{}, 0)
		r.build(k, true, make([]hw.BusAddr, 1<<19+1), 1<<31, 4096)
	})
}

// BIO-4 and NV-0: a front of less than a page has no segments by the splitter's count, so
// nothing is mapped, and the command has the data pointer of the tag's previous one.
func TestPostedFrontWithoutSegments(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		r := newRig(k, Config{Depth: 1}, 2)
		r.premap(k)
		r.queue.Limits.ChunkSectors = 8
		k.Go("reader", func(k *kernel.Task) {
			r.queue.SubmitBio(k, r.tokenBio(blkmq.REQ_OP_READ, 0, 0, 512))
			r.queue.SubmitBio(k, r.tokenBio(blkmq.REQ_OP_READ, 15, 4096, 1024))
		})
		k.Explore()
		require.Equal(t, ok(2), r.ended)
		got := r.buffer()
		require.Equal(t, "byte 7680 of nvme0", got.From(0), "block 15 is where block 0 was read to")
		require.Equal(t, "byte 4096 of buffer", got.From(4096), "and not where it was to be")
		require.Equal(t, "byte 8192 of nvme0", got.From(4096+512))
	})
}

// CMP-1 syncs whole pages. What the CPU has written next to the data of a read, since the
// mapping was made, is overwritten by what it was then.
func TestPostedSyncOfWholePages(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		m := &hw.Memory{}
		r := newRig(k, Config{IOMMU: hw.Config{Bounce: true, Memory: m}}, 1)
		r.premap(k)
		hw.Poke(r.pages, 2048, hw.Bytes("cpu", 0, 512))
		r.queue.SubmitBio(k, r.tokenBio(blkmq.REQ_OP_READ, 0, 0, 512))
		k.Explore()
		require.Equal(t, ok(1), r.ended)
		require.Equal(t, "byte 2048 of buffer", r.buffer().From(2048))
	})
}

// NV-1 and CMP-1: if the drive answers a request without a map, the completion of a read
// looks into the map.
func TestPostedCompletionWithoutMap(t *testing.T) {
	fails(t, sim.Bug, "CMP-1: NULL pointer dereference", func(k *kernel.Task) {
		r := newRig(k, Config{}, 1)
		r.queue.SubmitBio(k, r.tokenBio(blkmq.REQ_OP_READ, 0, 0, 512))
		k.Explore()
	})
}
