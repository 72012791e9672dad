package scenarios

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/token"
)

// Fuzz is a list of workloads, drawn from a seed, that are run under schedules which are drawn, too.
// The list has no end; the shards of a fuzz have its workloads between them, and what a workload does
// depends on nothing but the seed and its number.
type Fuzz struct {
	Design  *Design
	Fixes   token.Fix
	Without []string
	Seed    uint64
	// First and Step choose the workloads: First, First+Step, and so on. Step 0 is 1.
	First, Step int
	// Workloads is how many, and Schedules how many runs of each.
	Workloads, Schedules int
	// Workers is how many workloads run at the same time, 0 for one.
	Workers int
	// Progress, if not nil, is called now and then with what was done so far.
	Progress func(FuzzReport)
}

// FuzzReport is what came of it.
type FuzzReport struct {
	// Workloads that were done, and the runs and operations of all.
	Workloads, Executions, Steps int
	// Failed is the verdict on the first workload in the list that has failed, nil if none has, and Number
	// its place in the list. Those after it may be missing from the counts.
	Failed *Verdict
	Number int
}

// fuzzStrategies take turns.
var fuzzStrategies = []string{"random", "pct", "random", "pos", "random", "surw"}

// Workload is the workload with that number in the list.
func (f *Fuzz) Workload(n int) Workload {
	return Draw(numbers{rand.New(rand.NewPCG(f.Seed, uint64(n)))})
}

// numbers is a source of plain random numbers.
type numbers struct{ *rand.Rand }

func (r numbers) Int(_ string, min, max int) int { return min + r.IntN(max-min+1) }

func (r numbers) List(_ string, min, max int, each func(Source)) {
	for range r.Int("", min, max) {
		each(r)
	}
}

// check runs one workload.
func (f *Fuzz) check(ctx context.Context, n int) (*Verdict, error) {
	c, err := NewCase(Drawn(f.Workload(n)), f.Design, f.Fixes)
	if err != nil {
		return nil, err
	}
	c.Without = f.Without
	promised := explore.Coverage{Bound: explore.Sampled}
	s, err := NewStrategy(fuzzStrategies[n%len(fuzzStrategies)], f.Seed^uint64(n), promised)
	if err != nil {
		return nil, err
	}
	v := c.Check(ctx, s, promised, explore.Options{Executions: f.Schedules})
	if x := v.Report.Found; x != nil && x.Failure.Kind == sim.NoSchedulingPoints { // a task by itself
		x.Machine.Close()
		v.Report.Found = nil
	}
	return v, nil
}

// Run runs the workloads until one fails, ctx ends, or all are done. The error says what of the fuzz
// makes no sense.
func (f *Fuzz) Run(ctx context.Context) (FuzzReport, error) {
	if f.Workloads < 1 || f.Schedules < 1 {
		return FuzzReport{}, fmt.Errorf("a fuzz of %d workloads with %d schedules each runs nothing", f.Workloads, f.Schedules)
	}
	var (
		mu   sync.Mutex
		rep  FuzzReport
		last atomic.Int64 // no workload from here on is begun
		g    errgroup.Group
	)
	last.Store(int64(f.Workloads))
	g.SetLimit(max(f.Workers, 1))
	for i := range f.Workloads {
		if ctx.Err() != nil || int64(i) >= last.Load() {
			break
		}
		g.Go(func() error {
			if ctx.Err() != nil || int64(i) >= last.Load() {
				return nil
			}
			n := f.First + i*max(f.Step, 1)
			v, err := f.check(ctx, n)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			rep.Executions += v.Report.Executions
			rep.Steps += v.Report.Steps
			if v.Report.Found == nil {
				if v.Report.Executions == f.Schedules {
					rep.Workloads++
				}
			} else if rep.Failed == nil || n < rep.Number {
				if rep.Failed != nil {
					rep.Failed.Report.Found.Machine.Close()
				}
				rep.Failed, rep.Number = v, n
				last.Store(min(last.Load(), int64(i)))
			} else {
				v.Report.Found.Machine.Close()
			}
			if f.Progress != nil {
				f.Progress(rep)
			}
			return nil
		})
	}
	err := g.Wait()
	return rep, err
}
