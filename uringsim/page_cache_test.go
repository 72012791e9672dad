package uringsim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/blkmq/dmatoken"
	"dmasim/internal/simtest"
	"dmasim/iter"
	"dmasim/nvmesim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// Where a page of the cache is in the way of a first attempt, a worker waits for it: all that is asked
// for is done, through the cache and past it, while a task writes back what is dirty.
func TestPuntAtPageCache(t *testing.T) {
	punts, inline := 0, 0
	body := func(op int) func(k *kernel.Task) {
		return func(k *kernel.Task) {
			q, _ := nvmesim.NewDisk(k, "nvme0", 1<<20, 4, dmatoken.Design{})
			through, past := q.Open(0), q.Open(iter.O_DIRECT)
			page := new(hw.Memory).Alloc(k.Task, "kernel", 1)
			hw.Fill(page, "kernel")
			dirty := iter.Kvecs(k, hw.ToDevice, []iter.Kvec{iter.Lowmem(page, 0, 512)}, 512)
			require.EqualValues(t, 512, through.Ops.WriteIter(k, &iter.Kiocb{File: through}, &dirty))
			ring := NewRing(k, 0)
			mm, pages := newMm(k, 2)
			ring.Mm = mm
			require.Equal(t, kernel.OK, ring.RegisterBuffers(k, []RegBuffer{userRange(0, bufferSize)}))
			sqe := []SQE{
				{Opcode: IORING_OP_READ_FIXED, File: past},
				{Opcode: IORING_OP_READ_FIXED, File: through},
				{Opcode: IORING_OP_WRITE_FIXED, File: past},
				{Opcode: IORING_OP_WRITE_FIXED, File: through},
			}[op]
			sqe.Addr, sqe.Len = userMemory, 1024
			k.Go("sync", func(k *kernel.Task) { require.Equal(t, kernel.OK, q.Sync(k)) })
			k.Go("io_uring", func(k *kernel.Task) {
				ring.Submit(k, sqe)
				require.EqualValues(t, 1024, ring.WaitCQE(k).Res)
			})
			k.Explore()
			worker := false
			for _, u := range k.Machine().Tasks() {
				worker = worker || u.Name == "iou-wrk"
			}
			if worker {
				punts++
			} else {
				inline++
			}
			want := "byte 0 of kernel"
			if sqe.Opcode == IORING_OP_WRITE_FIXED {
				want = "byte 0 of user"
			}
			require.Equal(t, want, hw.Peek(pages, 0, 512).From(0))
			check := iter.Kvecs(k, hw.FromDevice, []iter.Kvec{iter.Lowmem(page, 512, 512)}, 512)
			require.EqualValues(t, 512, past.Ops.ReadIter(k, &iter.Kiocb{File: past}, &check))
			require.Equal(t, want, hw.Peek(page, 512, 512).From(0), "on the drive")
			require.Equal(t, kernel.OK, ring.UnregisterBuffers(k))
		}
	}
	for op := range 4 {
		punts, inline = 0, 0
		on.Survives(t, explore.NewDPOR(), body(op))
		on.Survives(t, simtest.Within(explore.Delays, 2), body(op))
		require.Positive(t, punts, op)
		require.Equal(t, op == 0, inline > 0, "a direct read that comes after the sync")
	}
}
