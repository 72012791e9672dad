package scenarios

import (
	"context"
	"maps"

	"dmasim/sim/explore"
)

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
