package scenarios_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/scenarios"
	"dmasim/sim/explore"
)

// Every step of the specification that can be reached is, with every branch, by the runs with at
// most one delay; and no room marks a step that the list does not have.
func TestStepsAreReached(t *testing.T) {
	if testing.Short() {
		t.Skip("the scenarios are explored with tracing on")
	}
	var designs []*scenarios.Design
	for _, name := range []string{"rfc-v2", "rfc-v2-repaired"} {
		d, err := scenarios.FindDesign(name)
		require.NoError(t, err)
		designs = append(designs, d)
	}
	c, err := scenarios.CoverSteps(t.Context(), scenarios.All(), explore.Coverage{Bound: explore.Delays, N: 1}, designs...)
	require.NoError(t, err)
	swap, err := scenarios.Find("swap-to-the-drive") // which needs two
	require.NoError(t, err)
	more, err := scenarios.CoverSteps(t.Context(), []*scenarios.Scenario{swap}, explore.Coverage{}, designs...)
	require.NoError(t, err)
	for _, step := range c.Missing() {
		require.NotZero(t, more.Steps[step], "no run comes to %s", step)
	}
	for label := range c.Steps {
		require.True(t, scenarios.Specified(label), "the list of steps does not have %q", label)
	}
	for _, s := range scenarios.Steps() {
		if s.Unreachable != "" {
			require.Zero(t, c.Steps[s.Name], "%s was reached", s.Name)
		}
	}
	t.Logf("%d runs; %d pairs of steps met, %d of them in one order only", c.Runs, len(c.Pairs), len(c.OneWay()))
}
