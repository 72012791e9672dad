package nvmesim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/blkmq"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// Repaired, the syncs are of the bytes of the transfer, all of them, also where it begins and
// ends in the middle of a page and the pages are no neighbours.
func TestSyncOfTheRange(t *testing.T) {
	const from, n = 512, 8192
	for _, op := range []blkmq.Op{blkmq.REQ_OP_READ, blkmq.REQ_OP_WRITE} {
		passes(t, func(k *kernel.Task) {
			token.Repair(k, token.FixSyncRange)
			r := newRig(k, Config{IOMMU: hw.Config{Bounce: true, Memory: &hw.Memory{}}}, 3)
			r.premap(k)
			hw.Poke(r.pages, 0, hw.Bytes("cpu", 0, 3*hw.PageSize))
			r.queue.SubmitBio(k, r.tokenBio(op, 0, from, n))
			k.Explore()
			require.Equal(t, ok(1), r.ended)
			want := hw.Bytes("cpu", 0, 3*hw.PageSize)
			if op == blkmq.REQ_OP_READ {
				want = want.Overwrite(from, hw.Bytes("nvme0", 0, n))
			} else {
				require.Equal(t, -1, r.ctrl.Blocks(0, n/512).Diff(hw.Bytes("cpu", from, n)))
			}
			require.Equal(t, -1, r.buffer().Diff(want), "%v", op)
		})
	}
}
