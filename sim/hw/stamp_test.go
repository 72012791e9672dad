package hw

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func drawStamp(t *rapid.T, label string) Stamp {
	return Stamp{
		Source: rapid.SampledFrom([]string{"", "vram", "vran", "nvme0", "evicted"}).Draw(t, label+" source"),
		Block:  rapid.Uint64Range(0, 1<<40).Draw(t, label+" block"),
		Gen:    rapid.Uint32Range(0, 1<<16).Draw(t, label+" version"),
	}
}

// Equal stamps mean equal bytes, different stamps different bytes.
func TestStampBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawStamp(t, "a"), drawStamp(t, "b")
		require.Len(t, a.Bytes(), SectorSize)
		if a.Source == "" { // whatever the rest is, these are zeroes
			require.Equal(t, make([]byte, SectorSize), a.Bytes())
			return
		}
		require.Equal(t, a == b, bytes.Equal(a.Bytes(), b.Bytes()))
		require.Equal(t, a.Bytes(), a.Bytes())
	})
}

// The block and the version do not run into each other.
func TestStampBytesOfLargeVersions(t *testing.T) {
	require.NotEqual(t, Stamp{"x", 1, 0}.Bytes(), Stamp{"x", 0, 1 << 20}.Bytes())
}

func TestStampString(t *testing.T) {
	require.Equal(t, "zeroes", Stamp{}.String())
	require.Equal(t, "vram[3] v2", Stamp{"vram", 3, 2}.String())
}
