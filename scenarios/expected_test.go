package scenarios_test

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/scenarios"
	"dmasim/sim/explore"
	"dmasim/token"
)

// check explores a case at a coverage and closes what it leaves open.
func check(t *testing.T, c scenarios.Case, s explore.Strategy, promised explore.Coverage, opt explore.Options) *scenarios.Verdict {
	t.Helper()
	v := c.Check(context.Background(), s, promised, opt)
	if f := v.Report.Found; f != nil {
		t.Cleanup(f.Machine.Close)
	}
	return v
}

func newCase(t *testing.T, scenario, design string, on token.Fix) scenarios.Case {
	t.Helper()
	s, err := scenarios.Find(scenario)
	require.NoError(t, err)
	d, err := scenarios.FindDesign(design)
	require.NoError(t, err)
	c, err := scenarios.NewCase(s, d, on)
	require.NoError(t, err)
	return c
}

func describe(v *scenarios.Verdict) string {
	if f := v.Report.Found; f != nil {
		return v.Outcome + ": " + f.Failure.Error() + " " + f.Schedule.String()
	}
	return v.Outcome + " " + v.Report.Coverage.String()
}

// TestExpected holds every scenario against every design: what is declared wrong is
// found, and what is declared right is silent, with the promised coverage.
func TestExpected(t *testing.T) {
	for _, s := range scenarios.All() {
		for _, d := range scenarios.Designs() {
			if testing.Short() && d.Name != "rfc-v2-repaired" {
				continue
			}
			t.Run(s.Name+"/"+d.Name, func(t *testing.T) {
				t.Parallel()
				c := newCase(t, s.Name, d.Name, 0)
				v := check(t, c, explore.NewDeepen(s.Quick), s.Quick, explore.Options{})
				require.True(t, v.AsExpected, "want %v, got %s", c.Expected(), describe(v))
			})
		}
	}
}

// subsets are the subsets of a set of repairs, with none and with all of the others.
func subsets(mine token.Fix) (out []token.Fix) {
	others := token.AllFixes() &^ mine
	for on := mine; ; on = (on - 1) & mine {
		out = append(out, on, on|others)
		if on == 0 {
			return out
		}
	}
}

// many are the scenarios of which a design that passes has over 15,000 traces, or one of a buffer of
// gigabytes: too large for every day.
var many = []string{"far-offset", "shared-with-nic", "waits-for-gpu", "released-together", "reads-around-a-move", "moved-again", "closed-ring"}

// feasible tells whether every interleaving of a case can be run: --full does that, and so do the
// tests, those of the large scenarios if DMASIM_CHECKS is above 1.
func feasible(c scenarios.Case) bool {
	return c.Promise(scenarios.Full).Bound == explore.All && (scale() > 1 || !slices.Contains(many, c.Scenario.Name))
}

// TestEverySubsetOfRepairs turns on every subset of the repairs that a scenario needs,
// with none and with all of the others: the scenario passes exactly when those that it
// needs are on. So no repair hides another defect, none brings a new one, and each one
// is missed somewhere when it is taken out alone. DMASIM_CHECKS above 1 has every subset explored
// completely, where that is feasible.
func TestEverySubsetOfRepairs(t *testing.T) {
	if testing.Short() {
		t.Skip("the subsets of the repairs multiply the scenarios")
	}
	needed := map[token.Fix]bool{}
	for _, s := range scenarios.All() {
		var mine token.Fix
		for _, d := range s.Defects["rfc-v2"] {
			needed[d.Fix] = true
			mine |= d.Fix
		}
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			for _, on := range subsets(mine) {
				c := newCase(t, s.Name, "rfc-v2", on)
				v := check(t, c, explore.NewDeepen(s.Quick), s.Quick, explore.Options{MinimizeRuns: -1})
				require.True(t, v.AsExpected, "with %q: want %v, got %s", on, c.Expected(), describe(v))
				if !feasible(c) || on != mine && scale() == 1 {
					continue // too large for that, or for every day
				}
				v = check(t, c, explore.NewDPOR(), s.Full, explore.Options{MinimizeRuns: -1})
				require.True(t, v.AsExpected, "dpor with %q: want %v, got %s", on, c.Expected(), describe(v))
			}
		})
	}
	for _, d := range scenarios.Designs() {
		for _, r := range d.Rules {
			needed[r.Fix] = true
		}
	}
	for _, f := range token.Fixes() {
		require.True(t, needed[f.Fix], "no scenario needs the repair %s", f.Name)
	}
}
