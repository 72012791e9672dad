package iter

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// The steps of the specification.
var _ = conform(cases{
	{"IT-1", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			offset := rapid.Uint64Range(0, 1<<40).Draw(t, "offset")
			count := rapid.Uint64Range(0, 1<<40).Draw(t, "count")
			n := rapid.OneOf(rapid.Just(count), rapid.Just(count+1), rapid.Uint64()).Draw(t, "n")
			i := Iter{Type: ITER_DMA_TOKEN, Offset: offset, Count: count}
			i.Advance(n)
			require.Equal(t, offset+count, i.Offset+i.Count, "the end stays")
			require.Equal(t, min(n, count), i.Offset-offset)
		})
	}},
	{"IT-2", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			before := Iter{
				Type:   ITER_DMA_TOKEN,
				Offset: rapid.Uint64Range(0, 1<<33).Draw(t, "offset"),
				Count:  rapid.Uint64Range(0, 1<<33).Draw(t, "count"),
			}
			n := rapid.OneOf(rapid.Uint64Range(0, 1<<34),
				rapid.SampledFrom([]uint64{0, before.Offset, before.Offset + 1, MaxRWCount, MaxRWCount + 1})).Draw(t, "n")
			i := before
			f := run(func(k *kernel.Task) { i.Revert(k, n) })
			switch {
			case n > MaxRWCount:
				require.Equal(t, sim.Warn, f.Kind)
				require.Equal(t, before, i, "nothing")
			case n > before.Offset:
				require.Equal(t, sim.Bug, f.Kind)
			default:
				require.Nil(t, f)
				require.Equal(t, Iter{Type: ITER_DMA_TOKEN, Offset: before.Offset - n, Count: before.Count + n}, i)
				i.Advance(n)
				require.Equal(t, before, i, "advance undoes it")
			}
		})
	}},
	{"IT-3", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			i := Iter{Type: ITER_DMA_TOKEN, Pointer: 0x1000, Offset: 0x10, Count: 0x201}
			require.EqualValues(t, 0x1010|0x201, i.Alignment(k))
			i.Count = 0
			require.Zero(t, i.Alignment(k))
			i = DmaToken(k, &token.Use{Dir: in, Len: 4096})
			require.NotZero(t, i.Alignment(k)&(hw.SectorSize-1), "the address of the token says nothing about the buffer")
		})
	}},
	{"IT-4", func(t *testing.T) {
		passes(t, func(k *kernel.Task) {
			require.Zero(t, (&Iter{Type: ITER_DMA_TOKEN, Offset: 1, Count: 3}).GapAlignment(k))
		})
	}},
	{"IT-5", func(t *testing.T) {
		u, other := &token.Use{}, &token.Use{}
		i := Iter{Type: ITER_DMA_TOKEN, Dir: out, Use: u, Offset: 100, Count: 50}
		s := i.Save()
		i.Advance(30)
		i.Count = 3
		i.Use, i.Dir = other, in
		i.Restore(s)
		require.Equal(t, Iter{Type: ITER_DMA_TOKEN, Dir: in, Use: other, Offset: 100, Count: 50}, i, "nothing else is restored")
	}},
	{"IT-6", func(t *testing.T) {
		for dir, warns := range map[hw.Direction]bool{hw.ToDevice: false, hw.FromDevice: false, hw.Bidirectional: true, 7: true} {
			for call, make := range map[string]func(k *kernel.Task) Iter{
				"iov_iter_dma_token": func(k *kernel.Task) Iter { return DmaToken(k, &token.Use{Dir: dir, Off: 4096, Len: 512}) },
				"iov_iter_ubuf":      func(k *kernel.Task) Iter { return Ubuf(k, dir, nil, 0, 512) },
				"iov_iter_init":      func(k *kernel.Task) Iter { return Iovecs(k, dir, nil, nil, 512) },
				"iov_iter_kvec":      func(k *kernel.Task) Iter { return Kvecs(k, dir, nil, 512) },
				"iov_iter_bvec":      func(k *kernel.Task) Iter { return Bvecs(k, dir, nil, 512) },
			} {
				f := run(func(k *kernel.Task) {
					i := make(k)
					require.EqualValues(t, 512, i.Count)
					require.Equal(t, dir, i.Dir)
					if i.Type == ITER_DMA_TOKEN {
						require.EqualValues(t, 4096, i.Offset)
					}
				})
				if !warns {
					require.Nil(t, f)
					continue
				}
				require.NotNil(t, f, "direction %d", dir)
				require.Equal(t, sim.Warn, f.Kind)
				require.Equal(t, call+": direction is neither READ nor WRITE", f.Message)
			}
		}
	}},
})
