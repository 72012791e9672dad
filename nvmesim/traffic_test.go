package nvmesim

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/blkmq"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// An ordinary request and a request with a token, for the same range of the same pages, are
// the same to the drive: which pages it reaches, in which order, and what is in them and on
// its blocks afterwards.
func TestSameTraffic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pages := rapid.IntRange(1, 48).Draw(t, "pages")
		off := rapid.IntRange(0, pages*hw.PageSize/4-1).Draw(t, "offset") * 4
		sectors := (pages*hw.PageSize - off) / hw.SectorSize
		if sectors == 0 {
			return
		}
		n := rapid.IntRange(1, sectors).Draw(t, "sectors") * hw.SectorSize
		lba := rapid.Uint64Range(0, 100).Draw(t, "lba")
		op := rapid.SampledFrom([]blkmq.Op{blkmq.REQ_OP_READ, blkmq.REQ_OP_WRITE}).Draw(t, "op")
		bounce := rapid.Bool().Draw(t, "bounce")
		var reached [2][]string
		var data [2]hw.Data
		for i := range 2 {
			passes(t, func(k *kernel.Task) {
				m := &hw.Memory{}
				cfg := Config{}
				if bounce {
					cfg.IOMMU = hw.Config{Bounce: true, Memory: m}
				}
				r := newRig(k, cfg, pages)
				bio, left := r.bio, 0
				if i == 1 {
					r.premap(k)
					bio, left = r.tokenBio, 2*pages
				}
				r.queue.SubmitBio(k, bio(op, lba, off, n))
				io := &r.iods[0][0]
				if len(r.ended) == 0 { // else it was refused
					for _, s := range r.walked(k, io) {
						reached[i] = append(reached[i], r.describe(s))
					}
				}
				k.Explore()
				require.Len(t, r.ended, 1)
				data[i] = hw.Concat(r.buffer(), r.ctrl.Blocks(lba, n/hw.SectorSize))
				if r.ended[0] == kernel.BLK_STS_OK {
					want := hw.Bytes("nvme0", lba*512, n)
					if op == blkmq.REQ_OP_WRITE {
						want = hw.Bytes("buffer", uint64(off), n)
					}
					require.True(t, r.buffer().Slice(off, n).Equal(want), "%v", r.buffer())
					require.True(t, r.ctrl.Blocks(lba, n/512).Equal(want))
				}
				r.quiet(k, left)
			})
		}
		require.Equal(t, reached[0], reached[1])
		require.True(t, data[0].Equal(data[1]))
	})
}

// describe is a segment as where in the buffer it is: the place in its page, and the length.
// The pages themselves are compared by what is in them.
func (r *rig) describe(s hw.Segment) string { return itoa(int(s.Addr%hw.PageSize)) + "+" + itoa(s.Len) }
