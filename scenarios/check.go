package scenarios

import (
	"context"
	"fmt"
	"slices"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// Level says how much a check promises to cover.
type Level uint8

const (
	Quick Level = iota
	Full
)

// Promise is the coverage that a pass of the scenario means at a level, for most designs.
func (s *Scenario) Promise(l Level) explore.Coverage {
	if l == Full {
		return s.Full
	}
	return s.Quick
}

// Promise is the coverage that a pass of the case means at a level.
func (c Case) Promise(l Level) explore.Coverage {
	if less, ok := c.Scenario.FullOf[c.Design.Base]; ok && l == Full {
		return less
	}
	return c.Scenario.Promise(l)
}

// Verdict is what came of checking a case.
type Verdict struct {
	Case   Case
	Report *explore.Report
	// Shown is the case that Report.Found is a run of: Case, or a smaller one.
	Shown Case
	// Strategy is the name of the strategy that was used.
	Strategy string
	// Outcome is "pass", "fail" or "incomplete": nothing was found, but the
	// promised coverage was not reached.
	Outcome string
	// Promised is the coverage that a pass means.
	Promised explore.Coverage
	// AsExpected tells whether the outcome, and on failure its kind, are the
	// expected ones. An incomplete check is never as expected.
	AsExpected bool
}

// Check explores the case under the strategy.
func (c Case) Check(ctx context.Context, s explore.Strategy, promised explore.Coverage, opt explore.Options) *Verdict {
	v := &Verdict{Case: c, Shown: c, Strategy: s.Name(), Promised: promised}
	v.Report = explore.Run(ctx, c.Program(), s, opt)
	if f := v.Report.Found; f != nil && f.Failure.Kind != sim.NoSchedulingPoints && len(f.Others) == 0 && opt.MinimizeRuns >= 0 {
		v.shrink(ctx)
	}
	want := c.Expected()
	switch {
	case v.Report.Found != nil:
		v.Outcome = "fail"
		f := v.Report.Found.Failure
		if f.Minor && !v.Report.Coverage.Reaches(promised) {
			want = append(want, c.rules()...) // something worse may be left to be found
		}
		v.AsExpected = slices.Contains(want, f.Kind)
	case v.Report.Coverage.Reaches(promised):
		v.Outcome = "pass"
		v.AsExpected = len(want) == 0
	default:
		v.Outcome = "incomplete"
	}
	return v
}

// unbounded is how far depth-first search goes where nothing is promised that it could
// reach: without reduction it would not come to an end.
var unbounded = explore.Coverage{Bound: explore.Delays, N: 4}

// pctDepth is the depth of the bugs that pct samples for: the number of ordering
// constraints that are enough to show them.
const pctDepth = 3

// Strategies lists the names that NewStrategy knows.
func Strategies() []string { return []string{"random", "pct", "pos", "surw", "dfs", "dpor"} }

// NewStrategy returns a strategy by name, for a promised coverage.
func NewStrategy(name string, seed uint64, promised explore.Coverage) (explore.Strategy, error) {
	switch name {
	case "random":
		return explore.NewRandom(seed), nil
	case "pct":
		return explore.NewPCT(seed, pctDepth), nil
	case "pos":
		return explore.NewPOS(seed), nil
	case "surw":
		return explore.NewSURW(seed), nil
	case "dpor":
		if promised.Bound == explore.Preemptions {
			return explore.NewBoundedDPOR(promised.N), nil
		}
		return explore.NewDPOR(), nil
	case "dfs":
		if promised.Bound == explore.All || promised.Bound == explore.Sampled {
			promised = unbounded
		}
		return explore.NewDeepen(promised), nil
	}
	return nil, fmt.Errorf("there is no strategy %q; %s", name, Nearest(name, Strategies()))
}
