package scenarios_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/scenarios"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/token"
)

// TestEveryStrategyFindsTheRace looks for the race of publish-after-unlock with each
// strategy, and for nothing in the two designs that do not have it.
func TestEveryStrategyFindsTheRace(t *testing.T) {
	strategies := map[string]func() explore.Strategy{
		"random":            func() explore.Strategy { return explore.NewRandom(1) },
		"random, other":     func() explore.Strategy { return explore.NewRandom(20261121) },
		"delays<=2":         func() explore.Strategy { return explore.NewDFS(explore.Coverage{Bound: explore.Delays, N: 2}) },
		"delays, deepening": func() explore.Strategy { return explore.NewDeepen(explore.Coverage{Bound: explore.Delays, N: 2}) },
		"preemptions<=1":    func() explore.Strategy { return explore.NewDFS(explore.Coverage{Bound: explore.Preemptions, N: 1}) },
	}
	for _, name := range []string{"pct", "pos", "surw", "dpor"} {
		if s, err := scenarios.NewStrategy(name, 1, explore.Coverage{}); err == nil {
			strategies[name] = func() explore.Strategy { return s }
		}
	}
	for name, mk := range strategies {
		t.Run(name, func(t *testing.T) {
			c := newCase(t, "publish-after-unlock", "rfc-v2", 0)
			v := check(t, c, mk(), explore.Coverage{}, explore.Options{Executions: 20_000})
			require.Equal(t, "fail", v.Outcome)
			f := v.Report.Found
			require.Equal(t, hw.StaleDMA, f.Failure.Kind)
			require.Equal(t, 1, f.Schedule.Preemptions(), "one preemption is enough: %s", f.Schedule)
		})
	}
}

// TestSilentUnderSampling samples every case that must pass, far beyond the promised
// bounds.
func TestSilentUnderSampling(t *testing.T) {
	n := 400 * scale()
	if testing.Short() {
		n = 20
	}
	for _, s := range scenarios.All() {
		for _, d := range scenarios.Designs() {
			c := newCase(t, s.Name, d.Name, 0)
			if c.Expected() != nil {
				continue
			}
			t.Run(s.Name+"/"+d.Name, func(t *testing.T) {
				t.Parallel()
				v := check(t, c, explore.NewRandom(7), explore.Coverage{}, explore.Options{Executions: n})
				require.Equal(t, "pass", v.Outcome, describe(v))
			})
		}
	}
}

// TestVisibleOperations bounds the length of a run: everything that exploration costs
// depends on it.
func TestVisibleOperations(t *testing.T) {
	for _, d := range scenarios.Designs() {
		c := newCase(t, "publish-after-unlock", d.Name, (token.FixPublishUnderResv|token.FixReclaimQueue)*b2f(d.Repairable))
		v := check(t, c, explore.NewDeepen(c.Scenario.Quick), c.Scenario.Quick, explore.Options{})
		require.Equal(t, "pass", v.Outcome)
		t.Logf("%s: at most %d visible operations in a run", d.Name, v.Report.Longest)
		require.LessOrEqual(t, v.Report.Longest, 100)
	}
}

func b2f(b bool) token.Fix {
	if b {
		return 1
	}
	return 0
}

// TestReplay follows the found schedule again: same hash, same failure, same rows.
func TestReplay(t *testing.T) {
	for _, s := range scenarios.All() {
		c := newCase(t, s.Name, "rfc-v2", 0)
		if c.Expected() == nil {
			continue
		}
		v := check(t, c, explore.NewDeepen(s.Quick), s.Quick, explore.Options{})
		f := v.Report.Found
		require.NotNil(t, f, s.Name)
		m := sim.NewMachine()
		defer m.Close()
		for _, traced := range []bool{true, false} {
			m.Trace(traced)
			r := explore.NewReplay(f.Schedule)
			res := m.Run(r, c.Program())
			require.Empty(t, r.Diverged)
			require.Equal(t, f.Hash, res.Hash)
			require.Equal(t, f.Failure.Error(), res.Failure.Error())
		}
		m.Trace(true)
		m.Run(explore.NewReplay(f.Schedule), c.Program())
		require.Equal(t, len(f.Machine.Rows()), len(m.Rows()))
	}
}
