package scenarios

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/token"
)

// hitting is compared with what trying all sets gives.
func TestHitting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sets := rapid.SliceOfN(rapid.Map(rapid.Uint32Range(1, 63), func(n uint32) token.Fix { return token.Fix(n) }), 0, 5).Draw(t, "sets")
		var all []token.Fix
		for h := token.Fix(0); h < 64; h++ {
			hits := true
			for _, s := range sets {
				hits = hits && h&s != 0
			}
			if hits {
				all = append(all, h)
			}
		}
		require.Equal(t, minimal(all), hitting(sets))
	})
}

// Two ways to repair one scenario and one for the other.
func TestTogether(t *testing.T) {
	a, b, c := token.Fix(1), token.Fix(2), token.Fix(4)
	require.Equal(t, []token.Fix{b, a | c}, Together([]*Remedy{{Sets: []token.Fix{a, b}}, {Sets: []token.Fix{b, c}}}))
	require.Empty(t, Together([]*Remedy{{Sets: []token.Fix{a}}, {}}))
	require.Equal(t, []token.Fix{0}, Together(nil))
}
