package scenarios_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/scenarios"
	"dmasim/token"
)

// TestNames prints and parses the names of every case.
func TestNames(t *testing.T) {
	for _, s := range scenarios.All() {
		for _, d := range scenarios.Designs() {
			sets := []token.Fix{0, token.AllFixes()}
			for _, f := range token.Fixes() {
				sets = append(sets, f.Fix, token.AllFixes()&^f.Fix)
			}
			for _, on := range sets {
				c, err := scenarios.NewCase(s, d, on)
				if on != 0 && !d.Repairable {
					require.Error(t, err)
					continue
				}
				require.NoError(t, err)
				for _, p := range s.Params {
					c.Params[p.Name] = p.Max
				}
				program, variant := c.Names()
				require.NotContains(t, program+variant, ".")
				back, err := scenarios.ParseCase(program, variant)
				require.NoError(t, err)
				require.Equal(t, c, back)
			}
		}
	}
}

func TestUnknownNames(t *testing.T) {
	_, err := scenarios.Find("publish-after-unlok")
	require.ErrorContains(t, err, `did you mean "publish-after-unlock"?`)
	_, err = scenarios.FindDesign("drane")
	require.ErrorContains(t, err, `did you mean "drain"?`)
	_, err = scenarios.Find("zzz")
	require.ErrorContains(t, err, "there are: publish-after-unlock")
	for _, bad := range []string{"publish-after-unlock:pages=9", "publish-after-unlock:pages", "publish-after-unlock:page=1", "x:y=1", ""} {
		_, err := scenarios.ParseCase(bad, "rfc-v2")
		require.Error(t, err, bad)
	}
	for _, bad := range []string{"rfc-v2+", "rfc-v2+x", "drain+put-queue", "", "rfc-v3"} {
		_, err := scenarios.ParseCase("publish-after-unlock", bad)
		require.Error(t, err, bad)
	}
}
