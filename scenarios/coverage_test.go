package scenarios_test

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"dmasim/scenarios"
	"dmasim/sim/explore"
)

// covered explores every scenario as posted and repaired, to the quick promise, once for all tests.
var covered = sync.OnceValues(func() (*scenarios.StepCoverage, error) {
	var designs []*scenarios.Design
	for _, name := range []string{"rfc-v2", "rfc-v2-repaired"} {
		d, err := scenarios.FindDesign(name)
		if err != nil {
			return nil, err
		}
		designs = append(designs, d)
	}
	return scenarios.CoverSteps(context.Background(), scenarios.All(), explore.Coverage{}, designs...)
})

func coverage(t *testing.T) *scenarios.StepCoverage {
	if testing.Short() {
		t.Skip("all scenarios are explored")
	}
	c, err := covered()
	require.NoError(t, err)
	return c
}

// Every step of the specification that can be reached is, with every branch; and no room marks a step that the
// list does not have.
func TestStepsAreReached(t *testing.T) {
	c := coverage(t)
	require.Empty(t, c.Missing(), "steps that no run comes to")
	for label := range c.Steps {
		require.True(t, scenarios.Specified(label), "the list of steps does not have %q", label)
	}
	for _, s := range scenarios.Steps() {
		if s.Unreachable != "" {
			require.Zero(t, c.Steps[s.Name], "%s was reached", s.Name)
		}
	}
	t.Logf("%d runs; %d pairs of steps met, %d of them in one order only; %d more used one object", c.Runs, len(c.Pairs), len(c.OneWay()), len(c.NeverMet()))
}

// docs/coverage.md has the steps that no run comes to, with the reasons.
func TestStepsAreInDocs(t *testing.T) {
	text, err := os.ReadFile("../docs/coverage.md")
	require.NoError(t, err)
	var want, have []string
	for _, s := range scenarios.Steps() {
		if s.Unreachable != "" {
			want = append(want, "| "+s.Name+" | "+s.Unreachable+" |")
		}
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| ") && line != "| step | why |\n" {
			have = append(have, strings.TrimSpace(line))
		}
	}
	require.Equal(t, want, have)
}

// Every pair of steps that meets in one order only, or uses an object and never meets, has a reason, and no reason is
// for another pair.
func TestMeetingsAreExplained(t *testing.T) {
	for _, reasons := range []map[[2]string]scenarios.Meeting{scenarios.Meetings(), scenarios.Separations()} {
		for p, m := range reasons {
			require.True(t, scenarios.Specified(p[0]) && scenarios.Specified(p[1]), "%s and %s", p[0], p[1])
			given := 0
			for _, ok := range []bool{m.Why != "", m.Drawn, m.Walks != "", m.Needs != ""} {
				if ok {
					given++
				}
			}
			require.Equal(t, 1, given, "%s and %s", p[0], p[1])
		}
	}
	c := coverage(t)
	same := func(pairs [][2]string, reasons map[[2]string]scenarios.Meeting) {
		t.Helper()
		for _, p := range pairs {
			if _, ok := reasons[p]; !ok {
				t.Errorf("%s and %s have no reason", p[0], p[1])
			}
			delete(reasons, p)
		}
		assert.Empty(t, reasons, "reasons for nothing")
	}
	same(c.OneWay(), scenarios.Meetings())
	same(c.NeverMet(), scenarios.Separations())
}

// theOther tells whether the second of two steps came first.
func theOther(c *scenarios.StepCoverage, p [2]string) bool {
	x := c.Pairs[[2]string{min(p[0], p[1]), max(p[0], p[1])}]
	return x != nil && (p[0] < p[1] && x.Back > 0 || p[0] > p[1] && x.Forth > 0)
}

// contradicted fails for what met although it is said that it cannot.
func contradicted(t *testing.T, c *scenarios.StepCoverage) {
	t.Helper()
	for p, m := range scenarios.Meetings() {
		assert.False(t, m.Why != "" && theOther(c, p), "%s and %s meet in the other order, and the reason why they cannot is: %s", p[0], p[1], m.Why)
	}
	for p, m := range scenarios.Separations() {
		assert.False(t, m.Why != "" && c.Pairs[p] != nil, "%s and %s meet, and the reason why they cannot is: %s", p[0], p[1], m.Why)
	}
}

// Random walks of the scenarios have no order of two steps of which it is said that it cannot be, and those of
// which it is said that they have them, one of them once in 40,000.
func TestWalkedMeetings(t *testing.T) {
	if testing.Short() {
		t.Skip("all scenarios are walked through")
	}
	posted, err := scenarios.FindDesign("rfc-v2")
	require.NoError(t, err)
	repaired, err := scenarios.FindDesign("rfc-v2-repaired")
	require.NoError(t, err)
	var c scenarios.StepCoverage
	require.NoError(t, c.CoverWalks(t.Context(), scenarios.All(), 3, 50*scale(), posted, repaired))
	contradicted(t, &c)
	for name, walks := range map[string]int{"registered-anew": 4000, "bounced-together": 40000} {
		if walks > 4000 && scale() == 1 {
			continue
		}
		s, err := scenarios.Find(name)
		require.NoError(t, err)
		var c scenarios.StepCoverage
		require.NoError(t, c.CoverWalks(t.Context(), []*scenarios.Scenario{s}, 2, walks, posted))
		contradicted(t, &c)
		for p, m := range scenarios.Meetings() {
			assert.True(t, m.Walks != name || theOther(&c, p), "%s and %s do not meet in the other order", p[0], p[1])
		}
		for p, m := range scenarios.Separations() {
			assert.True(t, m.Walks != name || c.Pairs[p] != nil, "%s and %s do not meet", p[0], p[1])
		}
	}
}

// Drawn workloads have no order of two steps of which it is said that it cannot be, and all of those of
// which it is said that they have them, some of them once in 100,000 runs.
func TestDrawnMeetings(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of workloads are run")
	}
	d, err := scenarios.FindDesign("rfc-v2-repaired")
	require.NoError(t, err)
	var c scenarios.StepCoverage
	runs := 3000
	if scale() > 1 {
		runs = 400000
	}
	require.NoError(t, c.CoverDrawn(t.Context(), &scenarios.Fuzz{Design: d, Seed: 21}, runs))
	contradicted(t, &c)
	var missed []string
	for p, m := range scenarios.Meetings() {
		if m.Drawn && !theOther(&c, p) {
			missed = append(missed, p[1]+" before "+p[0])
		}
	}
	for p, m := range scenarios.Separations() {
		if m.Drawn && c.Pairs[p] == nil {
			missed = append(missed, p[0]+" and "+p[1])
		}
	}
	t.Logf("%d runs miss %d of the orders that no scenario has", runs, len(missed))
	if scale() > 1 {
		require.Empty(t, missed)
	}
}
