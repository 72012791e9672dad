package iter

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/internal/simtest"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
	"dmasim/token"
)

var run = simtest.On[*kernel.Task](kernel.Boot).Run

// The cases carry the numbers of the specification's steps.
func TestConformance(t *testing.T) {
	for _, c := range []struct {
		name  string
		check func(t *testing.T)
	}{
		{"IT-1", func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				offset := rapid.Uint64Range(0, 1<<40).Draw(t, "offset")
				count := rapid.Uint64Range(0, 1<<40).Draw(t, "count")
				n := rapid.OneOf(rapid.Just(count), rapid.Just(count+1), rapid.Uint64()).Draw(t, "n")
				i := Iter{Offset: offset, Count: count}
				i.Advance(n)
				require.Equal(t, offset+count, i.Offset+i.Count, "the end stays")
				require.Equal(t, min(n, count), i.Offset-offset)
			})
		}},
		{"IT-2", func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				before := Iter{
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
					require.Equal(t, Iter{Offset: before.Offset - n, Count: before.Count + n}, i)
					i.Advance(n)
					require.Equal(t, before, i, "advance undoes it")
				}
			})
		}},
		{"IT-3", func(t *testing.T) {
			i := Iter{Offset: 0x10, Count: 0x201}
			require.EqualValues(t, 0x1010|0x201, i.Alignment(0x1000))
			i.Count = 0
			require.Zero(t, i.Alignment(0x1001))
		}},
		{"IT-4", func(t *testing.T) { require.Zero(t, (&Iter{Offset: 1, Count: 3}).GapAlignment()) }},
		{"IT-5", func(t *testing.T) {
			u, other := &token.Use{}, &token.Use{}
			i := Iter{Dir: hw.ToDevice, Use: u, Offset: 100, Count: 50}
			s := i.Save()
			i.Advance(30)
			i.Count = 3
			i.Use, i.Dir = other, hw.FromDevice
			i.Restore(s)
			require.Equal(t, Iter{Dir: hw.FromDevice, Use: other, Offset: 100, Count: 50}, i, "nothing else is restored")
		}},
		{"IT-6", func(t *testing.T) {
			for dir, warns := range map[hw.Direction]bool{hw.ToDevice: false, hw.FromDevice: false, hw.Bidirectional: true, 7: true} {
				u := &token.Use{Dir: dir, Off: 4096, Len: 512}
				f := run(func(k *kernel.Task) {
					require.Equal(t, Iter{Dir: dir, Use: u, Offset: 4096, Count: 512}, DmaToken(k, u))
				})
				if !warns {
					require.Nil(t, f)
					continue
				}
				require.NotNil(t, f, "direction %d", dir)
				require.Equal(t, sim.Warn, f.Kind)
				require.Contains(t, f.Message, "direction is neither READ nor WRITE")
			}
		}},
	} {
		t.Run(c.name, c.check)
	}
}

func TestKiocb(t *testing.T) {
	require.True(t, (&Kiocb{Flags: IOCB_NOWAIT | 1}).Nowait())
	require.False(t, (&Kiocb{Flags: 1}).Nowait())
	require.EqualValues(t, -11, Neg(kernel.EAGAIN))
}
