package sim_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/sim"
)

func TestReplayRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := sim.Replay{
			Fingerprint: rapid.Uint16().Draw(t, "fingerprint"),
			Program:     rapid.StringMatching(`[a-z][a-z0-9-]{0,20}`).Draw(t, "program"),
			Variant:     rapid.StringMatching(`[a-z][a-z0-9-]{0,8}`).Draw(t, "variant"),
			Schedule:    drawSchedule(t),
			Hash:        rapid.Uint32().Draw(t, "hash"),
		}
		got, err := sim.ParseReplay(r.String())
		require.NoError(t, err)
		require.Equal(t, r, got)
	})
}

func TestReplayErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "is empty",
		"s1.7f3a.p.v@6>2":           "no '#'",
		"s1.7f3a.p.v@6>2#c41d09a":   "eight hexadecimal digits",
		"s1.7f3a.p.v@6>2#c41d09abc": "eight hexadecimal digits",
		"s1.7f3a.p.v@6>2#c41d09ag":  "eight hexadecimal digits",
		"s1.7f3a.p.v@6>2#c41d#9ab":  "eight hexadecimal digits",
		"s1.7f3a.p.v@6#c41d09ab":    "is not a switch",
		"s1.7f3a.p.v?x#c41d09ab":    "is not a choice",
		"7f3a.p.v#c41d09ab":         "does not begin with its version",
		"s.7f3a.p.v#c41d09ab":       "does not begin with its version",
		"sx.7f3a.p.v#c41d09ab":      "is not a number",
		"s2.7f3a.p.v#c41d09ab":      "has version 2",
		"s1.7f3a.p#c41d09ab":        "four parts",
		"s1.7f3a..v#c41d09ab":       "four parts",
		"s1.7f3a.p.#c41d09ab":       "four parts",
		"s1.7f3a.p.v.w#c41d09ab":    "four parts",
		"s1.7f3.p.v#c41d09ab":       "four hexadecimal digits",
		"s1.7f3ag.p.v#c41d09ab":     "four hexadecimal digits",
		"s1.wxyz.p.v#c41d09ab":      "four hexadecimal digits",
	} {
		_, err := sim.ParseReplay(text)
		require.ErrorContains(t, err, want, "%q", text)
	}
}

// FuzzParseReplay: parsing never panics, and what was parsed prints as something
// that parses to the same.
func FuzzParseReplay(f *testing.F) {
	f.Add("s1.7f3a.publish-after-unlock.rfc-v2@6>2,9>1.1?0=1#c41d09ab")
	f.Add("s1.7f3a.p.v#00000000")
	f.Add("@?#")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := sim.ParseReplay(text)
		if err != nil {
			return
		}
		again, err := sim.ParseReplay(r.String())
		require.NoError(t, err)
		require.Equal(t, r, again)
	})
}

// FuzzParseSchedule is the same for schedules.
func FuzzParseSchedule(f *testing.F) {
	f.Add("@6>2,9>1.1?0=1")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := sim.ParseSchedule(text)
		if err != nil {
			return
		}
		again, err := sim.ParseSchedule(s.String())
		require.NoError(t, err)
		require.Equal(t, s, again)
	})
}
