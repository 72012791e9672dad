package scenarios_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/scenarios"
	"dmasim/token"
)

// TestRemedies computes for every scenario what makes it pass on the posted design: exactly the
// repairs that its list of defects names, and no other set.
func TestRemedies(t *testing.T) {
	if testing.Short() {
		t.Skip("every scenario is explored with dozens of sets")
	}
	d, err := scenarios.FindDesign("rfc-v2")
	require.NoError(t, err)
	for _, s := range scenarios.All() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			if len(s.Defects["rfc-v2"]) == 0 {
				t.Skip("nothing to repair")
			}
			r, err := s.Remedy(t.Context(), d, scenarios.Quick)
			require.NoError(t, err)
			named, none := token.Fix(0), false
			for _, x := range s.Defects["rfc-v2"] {
				named |= x.Fix
				none = none || x.Fix == 0
			}
			if !s.Unfenced {
				for _, x := range d.Rules {
					named |= x.Fix
				}
			}
			if none {
				require.Empty(t, r.Sets)
				return
			}
			require.Equal(t, []token.Fix{named}, r.Sets)
			require.Len(t, r.Without, len(named.Names()))
			for which, v := range r.Without {
				require.Equal(t, "fail", v.Outcome, "without %s", which[1])
				v.Report.Found.Machine.Close()
			}
		})
	}
}
