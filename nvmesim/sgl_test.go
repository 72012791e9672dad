package nvmesim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/blkmq"
	"dmasim/iter"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

var _ = conform(cases{
	{"C-NVME-10", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			r := newRig(k, Config{SGL: true}, 0)
			for _, n := range []int{1, 2, 16, 17, 256} {
				io, _ := r.take(blkmq.REQ_OP_READ, n*4096)
				for i := range n {
					io.segs = append(io.segs, hw.Segment{Addr: hw.BusAddr(0x1_0000_0000 + i*8192 + 4), Len: 4096})
				}
				require.Equal(t, kernel.BLK_STS_OK, r.setupSGL(k, io))
				require.EqualValues(t, psdtSGL, io.cmd.Flags)
				typ, length := uint8(io.cmd.DPTR2>>56), int(uint32(io.cmd.DPTR2))
				if n == 1 {
					require.Equal(t, [3]int{sglData, 4096, 0x1_0000_0004}, [3]int{int(typ), length, int(io.cmd.DPTR1)})
					require.Empty(t, io.lists)
				} else {
					require.Equal(t, [2]int{sglLastSegment, n * 16}, [2]int{int(typ), length})
					require.Len(t, io.lists, 1)
					require.EqualValues(t, io.lists[0].addr, io.cmd.DPTR1)
					require.Equal(t, n <= 16, io.lists[0].pool == r.small)
				}
				require.Equal(t, io.segs, r.walked(k, io))
				r.freeLists(k, io)
			}
			r.quiet(k, 0)
		})
	}},
	{"C-NVME-11", func(t *testing.T) {
		// Half a page, and then a page: PRPs cannot say that.
		for _, c := range []struct {
			profile  kernel.Profile
			sgl      bool
			commands int
			flags    uint8
		}{
			{kernel.V7_3, true, 1, psdtSGL},
			{kernel.V7_3, false, 2, psdtPRP},
			{kernel.V6_12, true, 2, psdtPRP},
		} {
			passes(t, func(k *kernel.Task) {
				k.K.Profile = c.profile
				r := newRig(k, Config{SGL: c.sgl}, 2)
				b := r.bio(blkmq.REQ_OP_READ, 0, 0, 2048+4096)
				b.Vecs = []iter.Bvec{{Pages: r.pages[:1], Len: 2048}, {Pages: r.pages[1:], Len: 4096}}
				r.queue.SubmitBio(k, b)
				require.Equal(t, c.flags, r.iods[0][0].cmd.Flags)
				k.Explore()
				require.Equal(t, []kernel.BlkStatus{kernel.BLK_STS_OK}, r.ended)
				require.Equal(t, c.commands, r.queues[0].ended)
				want := hw.Bytes("buffer", 0, 8192).Overwrite(0, hw.Bytes("nvme0", 0, 2048)).Overwrite(4096, hw.Bytes("nvme0", 2048, 4096))
				require.True(t, r.buffer().Equal(want), r.buffer().String())
				r.quiet(k, 0)
			})
		}
	}},
	{"C-NVME-24", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			w := newWalk(k)
			data := func(n int) []uint64 { return []uint64{0x8000, descriptor(sglData, n)} }
			two := w.put(k, 0, append(data(512), data(1024)...)...)
			for length, want := range map[int]Status{1536: Success, 1024: InvalidSGLLength | DNR, 512: InvalidSGLLength | DNR, 2048: InvalidSGLLength | DNR} {
				_, s := w.ctrl.walker.sgl(k, uint64(two), descriptor(sglLastSegment, 32), length, nil)
				require.Equal(t, want, s, length)
			}
			_, s := w.ctrl.walker.sgl(k, 0x8000, descriptor(sglData, 512), 1024, nil)
			require.Equal(t, InvalidSGLLength|DNR, s)
		})
	}},
})

// Segments chain through their last descriptor.
func TestSGLSegments(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		w := newWalk(k)
		third := w.put(k, 0, 0xc000, descriptor(sglData, 100), 0xd000, descriptor(sglData, 412))
		second := w.put(k, 4, uint64(third), descriptor(sglLastSegment, 32))
		first := w.put(k, 2, 0xa000, descriptor(sglData, 512), 0xb000, descriptor(sglData, 0), uint64(second), descriptor(sglSegment, 16))
		sgl := func(a hw.BusAddr, typ uint8, n, length int) ([]hw.Segment, Status) {
			return w.ctrl.walker.sgl(k, uint64(a), descriptor(typ, n), length, nil)
		}
		segs, s := sgl(first, sglSegment, 48, 1024)
		require.Equal(t, Success, s)
		require.Equal(t, []hw.Segment{{Addr: 0xa000, Len: 512}, {Addr: 0xc000, Len: 100}, {Addr: 0xd000, Len: 412}}, segs)
		for name, c := range map[string]struct {
			at        hw.BusAddr
			typ       uint8
			n, length int
			want      Status
		}{
			"a segment where data should be": {first, sglLastSegment, 48, 1024, InvalidSGLType | DNR},
			"data where a segment should be": {first, sglSegment, 32, 1024, InvalidSGLType | DNR},
			"an unknown type":                {first, 0x40, 48, 1024, InvalidSGLType | DNR},
			"a subtype":                      {first, sglSegment | 1, 48, 1024, InvalidSGLType | DNR},
			"half a descriptor":              {first, sglSegment, 40, 1024, InvalidSGLSegment | DNR},
			"no descriptor":                  {first, sglSegment, 0, 1024, InvalidSGLSegment | DNR},
			"between words":                  {first + 4, sglSegment, 48, 1024, InvalidSGLSegment | DNR},
			"nowhere":                        {0x666000, sglSegment, 48, 1024, DataTransferError},
			"more than a controller reads":   {first, sglSegment, 16 * (maxDescriptors + 1), 1024, InvalidSGLCount | DNR},
		} {
			_, s := sgl(c.at, c.typ, c.n, c.length)
			require.Equal(t, c.want, s, name)
		}
		w.words(k, second, uint64(first), descriptor(sglSegment, 48))
		_, s = sgl(first, sglSegment, 48, 1<<20)
		require.Equal(t, InvalidSGLSegment|DNR, s, "a segment that leads back to itself")
	})
}

// The average length, rounded up, decides; a threshold of 0 means never.
func TestSGLThreshold(t *testing.T) {
	passes(t, func(k *kernel.Task) {
		r := newRig(k, Config{SGL: true}, 0)
		for _, c := range []struct {
			bytes, segs, threshold int
			want                   bool
		}{
			{65536, 2, 32768, true}, {65535, 2, 32768, true}, {65534, 2, 32768, false}, {65536, 2, 32769, false},
			{4, 4, 1, true}, {1 << 20, 1, 0, false},
		} {
			r.SGLThreshold = c.threshold
			io, _ := r.take(blkmq.REQ_OP_READ, c.bytes)
			require.Equal(t, c.want, r.useSGL(k, io, c.segs), "%v", c)
		}
		r.ctrl.SGL = false
		io, _ := r.take(blkmq.REQ_OP_READ, 1<<20)
		require.False(t, r.useSGL(k, io, 1))
	})
}
