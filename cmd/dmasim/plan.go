package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"dmasim/scenarios"
	"dmasim/sim/explore"
	"dmasim/sim/kernel"
	"dmasim/token"
	"dmasim/uringsim/realhw"
)

// checkFlags are the flags of check as they were given.
type checkFlags struct {
	design, fix, without, strategy, budget string
	backend, drive                         string
	seed                                   uint64
	full, json                             bool
	given                                  map[string]bool
}

// plan is what a check is to do.
type plan struct {
	cases []scenarios.Case
	level scenarios.Level
	// strategy is empty for the default of each scenario.
	strategy string
	seed     uint64
	// executions and time are the budget of each case; 0 for no limit.
	executions int
	time       time.Duration
	// backend is the name of what moves the bytes, if it is not the model; command repeats a
	// run, and whyNot says why there is none.
	backend         string
	command, whyNot string
}

// on has the plan run on a backend, nil for the model.
func (p *plan) on(name string, b *realhw.Backend) {
	if b != nil {
		p.backend = name
		for i := range p.cases {
			p.cases[i].Real = b
		}
	}
	p.command, p.whyNot = again(p.cases[0])
}

// newPlan turns flags and names of scenarios into a plan, or says what is wrong
// with them.
func newPlan(f checkFlags, names []string) (*plan, error) {
	p := &plan{seed: f.seed, strategy: f.strategy}
	if f.full {
		p.level = scenarios.Full
	}
	var err error
	if f.given["budget"] {
		if p.executions, p.time, err = parseBudget(f.budget); err != nil {
			return nil, err
		}
	}
	if f.given["strategy"] && !slices.Contains(scenarios.Strategies(), f.strategy) {
		return nil, fmt.Errorf("there is no strategy %q; %s", f.strategy, scenarios.Nearest(f.strategy, scenarios.Strategies()))
	}
	fixes, err := parseFixes(f)
	if err != nil {
		return nil, err
	}
	off, err := detectors(f.without)
	if err != nil {
		return nil, err
	}
	designs, err := chooseDesigns(f, fixes)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		for _, s := range scenarios.All() {
			names = append(names, s.Name)
		}
	}
	seen := map[string]bool{}
	for _, n := range names {
		for _, d := range designs {
			// The form of a replay string, so that parameters are read at one place.
			variant := strings.Join(append([]string{d.Name}, fixes.Names()...), "+")
			c, err := scenarios.ParseCase(n, variant)
			if err != nil {
				return nil, err
			}
			c.Without = off
			program, variant := c.Names()
			if key := program + " " + variant; !seen[key] {
				seen[key] = true
				p.cases = append(p.cases, c)
			}
		}
	}
	for _, c := range p.cases {
		if _, err := p.newStrategy(c); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// detectors reads the names of detectors.
func detectors(names string) ([]string, error) {
	if names == "" {
		return nil, nil
	}
	off := strings.Split(names, ",")
	for _, n := range off {
		if !slices.Contains(kernel.Detectors(), n) {
			return nil, fmt.Errorf("there is no detector %q; %s", n, scenarios.Nearest(n, kernel.Detectors()))
		}
	}
	return off, nil
}

func parseBudget(s string) (executions int, d time.Duration, err error) {
	if executions, err = strconv.Atoi(s); err != nil {
		if d, err = time.ParseDuration(s); err != nil {
			return 0, 0, fmt.Errorf("--budget %q is neither a number of executions, such as 5000, nor a time, such as 10s", s)
		}
	}
	if executions < 0 || d < 0 || executions == 0 && d == 0 {
		return 0, 0, fmt.Errorf("--budget %s: there must be something to spend", s)
	}
	return executions, d, nil
}

func parseFixes(f checkFlags) (token.Fix, error) {
	var on token.Fix
	if !f.given["fix"] {
		return 0, nil
	}
	var known []string
	for _, i := range token.Fixes() {
		known = append(known, i.Name)
	}
	for _, text := range strings.Split(f.fix, ",") {
		name, less := strings.CutPrefix(text, "-")
		x, err := token.ParseFix(name)
		switch {
		case text == "all":
			x = token.AllFixes()
		case err != nil:
			return 0, fmt.Errorf("there is no fix %q; %s", name, scenarios.Nearest(name, known))
		}
		if less && !on.Has(x) {
			return 0, fmt.Errorf("--fix %s takes a fix away that is not on; all,%s is all of them but that", f.fix, text)
		}
		if on |= x; less {
			on &^= x
		}
	}
	return on, nil
}

// chooseDesigns returns the design that was asked for, all of them otherwise, and
// with fixes the first that takes some.
func chooseDesigns(f checkFlags, fixes token.Fix) ([]*scenarios.Design, error) {
	if f.given["design"] {
		d, err := scenarios.FindDesign(f.design)
		return []*scenarios.Design{d}, err
	}
	all := scenarios.Designs()
	if fixes != 0 {
		i := slices.IndexFunc(all, func(d *scenarios.Design) bool { return d.Repairable })
		return all[i : i+1], nil
	}
	return all, nil
}

func (p *plan) strategyName(c scenarios.Case) string {
	if p.strategy != "" {
		return p.strategy
	}
	return defaultStrategy(c.Promise(p.level))
}

func (p *plan) newStrategy(c scenarios.Case) (explore.Strategy, error) {
	return scenarios.NewStrategy(p.strategyName(c), p.seed, c.Promise(p.level))
}

// workers is how many machines run at a time. Half the time of a real transfer is waiting.
func (p *plan) workers() int {
	if p.backend != "" {
		return 2 * runtime.GOMAXPROCS(0)
	}
	return runtime.GOMAXPROCS(0)
}

// check explores one case.
func (p *plan) check(ctx context.Context, c scenarios.Case, progress func(explore.Progress)) *scenarios.Verdict {
	s, err := p.newStrategy(c)
	if err != nil {
		panic(err) // newPlan tried it
	}
	opt := explore.Options{Executions: p.executions, Time: p.time, Progress: progress, CountTraces: true}
	if strategyDocs[p.strategyName(c)].sampler {
		if len(p.cases) == 1 { // several cases keep the cores busy by themselves
			opt.Workers = p.workers()
		}
		if opt.Executions == 0 && opt.Time == 0 {
			opt.Executions = sampleBudget
		}
	}
	return c.Check(ctx, s, c.Promise(p.level), opt)
}

// run checks all cases, several at a time, until ctx ends. It calls each with the
// verdicts in the order of the cases, as soon as that is possible, and returns
// them; a case that was not begun has none.
func (p *plan) run(ctx context.Context, bar *progress, each func(*scenarios.Verdict)) []*scenarios.Verdict {
	verdicts := make([]*scenarios.Verdict, len(p.cases))
	var mu sync.Mutex
	printed := 0
	var g errgroup.Group
	g.SetLimit(p.workers())
	for i, c := range p.cases {
		g.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			v := p.check(ctx, c, bar.forCase(i))
			bar.finished(i, v)
			mu.Lock()
			defer mu.Unlock()
			for verdicts[i] = v; printed < len(verdicts) && verdicts[printed] != nil; printed++ {
				each(verdicts[printed])
			}
			return nil
		})
	}
	_ = g.Wait() // none of them returns an error
	for ; printed < len(verdicts); printed++ {
		if v := verdicts[printed]; v != nil {
			each(v)
		}
	}
	return verdicts
}
