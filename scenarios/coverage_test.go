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
	require.Empty(t, c.Stale(), "pairs that meet in both orders, and have a reason why they do not")
	t.Logf("%d runs; %d pairs of steps met, %d of them in one order only", c.Runs, len(c.Pairs), len(c.OneWay()))
}

// Every pair of steps that meets in one order only has a reason, and no reason is for a pair that
// does not meet, or meets in both. That is so at the quick promise of every scenario, for which there is
// time with DMASIM_CHECKS above 1; on other days the reasons are held to name steps.
func TestMeetingsAreExplained(t *testing.T) {
	for p, m := range scenarios.Meetings() {
		require.True(t, scenarios.Specified(p[0]) && scenarios.Specified(p[1]), "%s before %s", p[0], p[1])
		given := 0
		for _, ok := range []bool{m.Why != "", m.Drawn, m.Needs != ""} {
			if ok {
				given++
			}
		}
		require.Equal(t, 1, given, "%s before %s", p[0], p[1])
	}
	if scale() == 1 {
		t.Skip("the scenarios are explored with tracing on")
	}
	var designs []*scenarios.Design
	for _, name := range []string{"rfc-v2", "rfc-v2-repaired"} {
		d, err := scenarios.FindDesign(name)
		require.NoError(t, err)
		designs = append(designs, d)
	}
	c, err := scenarios.CoverSteps(t.Context(), scenarios.All(), explore.Coverage{}, designs...)
	require.NoError(t, err)
	require.Empty(t, c.Unexplained(), "pairs that met in one order only")
	require.Empty(t, c.Stale())
	oneWay := map[[2]string]bool{}
	for _, p := range c.OneWay() {
		oneWay[p] = true
	}
	for p := range scenarios.Meetings() {
		require.True(t, oneWay[p], "%s and %s do not meet", p[0], p[1])
	}
}

// Drawn workloads have no order of two steps of which it is said that it cannot be, and most of those of
// which it is said that they have them; some are as seldom as one run in 30,000.
func TestDrawnMeetings(t *testing.T) {
	if testing.Short() {
		t.Skip("the workloads are run with tracing on")
	}
	d, err := scenarios.FindDesign("rfc-v2-repaired")
	require.NoError(t, err)
	var c scenarios.StepCoverage
	runs := 300
	if scale() > 1 {
		runs = 15000 * scale()
	}
	require.NoError(t, c.CoverDrawn(t.Context(), &scenarios.Fuzz{Design: d, Seed: 5}, runs))
	both := func(p [2]string) bool {
		if p[0] > p[1] {
			p[0], p[1] = p[1], p[0]
		}
		x := c.Pairs[p]
		return x != nil && x.Forth > 0 && x.Back > 0
	}
	var told, met int
	for p, m := range scenarios.Meetings() {
		require.False(t, m.Why != "" && both(p), "%s and %s meet in both orders, and the reason why they cannot is: %s", p[0], p[1], m.Why)
		if m.Drawn {
			if told++; both(p) {
				met++
			} else {
				t.Logf("%s before %s was not met in the other order", p[0], p[1])
			}
		}
	}
	t.Logf("%d runs met %d of the %d orders that no scenario has", runs, met, told)
	if scale() > 1 {
		require.Greater(t, 4*met, 3*told)
	}
}
