package blkmq

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/kernel"
)

func TestLimitsDefaults(t *testing.T) {
	require.Equal(t, Limits{
		LogicalBlock: 512, PhysicalBlock: 512, MaxHWSectors: 255, MaxSectors: 255, MaxSegments: 128,
		MaxSegmentSize: 65536, SegBoundary: math.MaxUint32, DmaAlignment: 511, maxFastSegment: 4096,
	}, valid(t, Limits{}))
	l := valid(t, Limits{LogicalBlock: 4096, MaxHWSectors: 1 << 20, VirtBoundary: 4095})
	require.EqualValues(t, 8192, l.MaxSectors, "4 MiB")
	require.EqualValues(t, uint32(math.MaxUint32), l.MaxSegmentSize)
	require.EqualValues(t, 4096, l.PhysicalBlock)
	require.EqualValues(t, 248, valid(t, Limits{LogicalBlock: 4096}).MaxSectors, "by logical blocks")
	require.EqualValues(t, 16, valid(t, Limits{MaxUserSectors: 16}).MaxSectors)
	passes(t, func(k *kernel.Task) {
		k.K.Profile = kernel.V6_12
		l := Limits{MaxHWSectors: 1 << 20}
		require.Equal(t, kernel.OK, l.Validate(k))
		require.EqualValues(t, 2560, l.MaxSectors, "1280 KiB")
	})
}

func TestLimitsThatNoDriverMaySet(t *testing.T) {
	for name, c := range map[string]struct {
		l    Limits
		warn bool
	}{
		"logical block":    {Limits{LogicalBlock: 520}, false},
		"small block":      {Limits{LogicalBlock: 256}, false},
		"max_hw_sectors":   {Limits{MaxHWSectors: 7}, true},
		"a block":          {Limits{LogicalBlock: 65536, MaxHWSectors: 64}, true},
		"user sectors":     {Limits{MaxUserSectors: 7}, false},
		"seg_boundary":     {Limits{SegBoundary: 511}, true},
		"max_segment_size": {Limits{MaxSegmentSize: 2048}, true},
		"dma_alignment":    {Limits{DmaAlignment: 8191}, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := on.Run(func(k *kernel.Task) { require.Equal(t, kernel.EINVAL, c.l.Validate(k)) })
			require.Equal(t, c.warn, f != nil)
			if f != nil {
				require.Equal(t, sim.Warn, f.Kind)
			}
		})
	}
	fails(t, sim.Misuse, "limits of disk: -EINVAL", func(k *kernel.Task) {
		NewQueue(k, "disk", size, 1, Limits{LogicalBlock: 3}, &fakeDriver{}, nil)
	})
}
