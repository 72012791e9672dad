package scenarios

import (
	"context"
	"fmt"
	"maps"
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

// Promise is the coverage that a pass of the scenario means at a level.
func (s *Scenario) Promise(l Level) explore.Coverage {
	if l == Full {
		return s.Full
	}
	return s.Quick
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

// shrinkBudget bounds the runs that look for a failure in one smaller program; of workloads there
// are many that are smaller.
const shrinkBudget, shrinkWorkload = 2_000, 40

// shrink looks for the failure in smaller programs, by the parameters that are sizes,
// for as long as one shows it.
func (v *Verdict) shrink(ctx context.Context) {
	for again := true; again; {
		again = false
		// Where one has shown it, what comes after it in the list of the smaller ones is next.
		list := v.Shown.smaller()
		for i := 0; i < len(list); i++ {
			c := list[i]
			if f := c.showsToo(ctx, v.Report.Found); f != nil {
				f.Execution = v.Report.Found.Execution
				v.Report.Found.Machine.Close()
				v.Report.Found, v.Shown, again = f, c, true
				list = c.smaller()
			}
		}
	}
	if f := v.Report.Found; v.Shown.Scenario.workload != nil {
		r := explore.Run(ctx, v.Shown.Program(), explore.NewReplay(f.Schedule), explore.Options{Executions: 1, First: true, NoObserver: true})
		if r.Found != nil {
			r.Found.Execution = f.Execution
			f.Machine.Close()
			v.Report.Found = r.Found
		}
	}
}

// showsToo looks for a failure of the kind of one that was found, for a while: in schedules with few
// preemptions, and of workloads in that one's and in random ones before.
func (c Case) showsToo(ctx context.Context, found *explore.Found) *explore.Found {
	kind := found.Failure.Kind
	strategies := []explore.Strategy{explore.NewDeepen(explore.Coverage{Bound: explore.Preemptions, N: 3})}
	opt := explore.Options{Executions: shrinkBudget, First: found.Failure.Minor, NoObserver: true}
	if c.Scenario.workload != nil {
		strategies = append([]explore.Strategy{explore.NewReplay(found.Schedule), explore.NewRandom(1), explore.NewPCT(1, pctDepth)}, strategies...)
		opt.Executions, opt.MinimizeRuns = shrinkWorkload, -1 // what is left is minimised
	}
	for _, s := range strategies {
		opt := opt
		if _, once := s.(*explore.Replay); once {
			opt.Executions = 1
		}
		f := explore.Run(ctx, c.Program(), s, opt).Found
		if f == nil {
			continue
		}
		if f.Failure.Kind == kind {
			return f
		}
		f.Machine.Close()
	}
	return nil
}

// smaller lists the cases in which one parameter that is a size is smaller, the smallest
// first. Of a workload whatever there is can be smaller.
func (c Case) smaller() []Case {
	var out []Case
	if c.Scenario.workload != nil {
		for _, wl := range c.Scenario.workload.smaller() {
			s := c
			s.Scenario = Drawn(wl)
			out = append(out, s)
		}
	}
	for _, p := range c.Scenario.Params {
		for n := p.Min; p.Size && n < c.Params[p.Name]; n++ {
			s := c
			s.Params = maps.Clone(c.Params)
			s.Params[p.Name] = n
			out = append(out, s)
		}
	}
	return out
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
