package explore

import (
	"context"
	"time"

	"dmasim/sim"
)

// Options bound an exploration.
type Options struct {
	// Executions is the largest number of runs; 0 means no limit.
	Executions int
	// Time is how long it may take; 0 means no limit.
	Time time.Duration
	// MinimizeRuns bounds the runs that are spent on making a failing schedule
	// smaller; 0 means DefaultMinimizeRuns, a negative number none.
	MinimizeRuns int
	// StepLimit bounds the explored operations of a run; 0 means the machine's
	// default.
	StepLimit int
	// ShowAll keeps the scheduling points of objects that only one task touches. The
	// results are the same, and take longer.
	ShowAll bool
	// Progress, if not nil, is called now and then with the counts so far.
	Progress func(executions, steps int)
}

// DefaultMinimizeRuns is enough for the schedules that minimising is for: the ones
// that people read.
const DefaultMinimizeRuns = 2_000

// Report is the outcome of an exploration.
type Report struct {
	// Found is the failure, nil if there was none.
	Found *Found
	// Executions and Steps count the runs and their explored operations.
	Executions, Steps int
	// Abandoned counts the runs that the strategy gave up, since they could only
	// repeat others. They are not among the executions.
	Abandoned int
	// Longest is the largest number of explored operations in one run.
	Longest int
	// Coverage is what the runs cover completely.
	Coverage Coverage
	// Restarts counts how often an object that had been thought private turned out not
	// to be, and the exploration was begun again.
	Restarts int
	// Exhausted is set if the strategy had nothing left to run.
	Exhausted bool
	// Elapsed is the time that it took, minimising included.
	Elapsed time.Duration
}

// Found is a failure with all that is needed to show and to repeat it. Its machine
// holds the traced run.
type Found struct {
	Failure     *sim.Failure
	Schedule    sim.Schedule
	Hash        uint64
	Fingerprint uint16
	// Execution is the number of the run that failed first, from 1.
	Execution int
	// Machine holds the trace; the caller closes it.
	Machine *sim.Machine
	// Steps of the run.
	Steps int
}

// Run explores body under the strategy. It stops at the first failure.
func Run(ctx context.Context, body func(*sim.Task), s Strategy, opt Options) *Report {
	m := sim.NewMachine()
	m.StepLimit = opt.StepLimit
	begin := time.Now()
	rep := &Report{}
	keep := false
	defer func() {
		if !keep {
			m.Close()
		}
	}()
	branching := false
	var seen *visibility
	if !opt.ShowAll {
		seen = discover(m, body)
	}
	for {
		r := m.Run(s, body)
		if r.Abandoned {
			rep.Abandoned++
		} else {
			rep.Executions++
		}
		rep.Steps += r.Steps
		rep.Longest = max(rep.Longest, r.Steps)
		branching = branching || r.Branching > 0
		if r.Failure != nil {
			rep.Found = confirm(m, body, r, rep.Executions, opt)
			keep = true
			break
		}
		if seen != nil && seen.revise(m) {
			rep.Restarts++
			if again, ok := s.(restarter); ok {
				again.Restart()
				continue
			}
		}
		if !s.Done(r) {
			rep.Exhausted = true
			break
		}
		if opt.Executions > 0 && rep.Executions >= opt.Executions {
			break
		}
		if rep.Executions&0x3f == 0 || opt.Time > 0 {
			if ctx.Err() != nil || opt.Time > 0 && time.Since(begin) >= opt.Time {
				break
			}
			if opt.Progress != nil && rep.Executions&0x3f == 0 {
				opt.Progress(rep.Executions, rep.Steps)
			}
		}
	}
	if rep.Found == nil && !branching {
		m.Hide(nil)
		m.Trace(true)
		r := m.Run(sim.Default{}, body)
		f := &sim.Failure{Kind: sim.NoSchedulingPoints, Message: "at no point could more than one task run: there is nothing to explore"}
		rep.Found = &Found{Failure: f, Schedule: r.Schedule, Hash: r.Hash, Fingerprint: sim.Fingerprint(r.Hash), Execution: 1, Machine: m, Steps: r.Steps}
		keep = true
	}
	rep.Coverage = s.Covered()
	rep.Elapsed = time.Since(begin)
	return rep
}

// confirm runs a failure again, makes it smaller, and records it.
func confirm(m *sim.Machine, body func(*sim.Task), r *sim.Result, execution int, opt Options) *Found {
	first, told := *r, accountOf(m, r)
	again := *m.Run(NewReplay(first.Schedule), body)
	f := &Found{Execution: execution, Machine: m}
	if again.Hash != first.Hash || again.Failure == nil || again.Failure.Kind != first.Failure.Kind {
		f.Failure = nondeterminism(told, accountOf(m, &again))
		f.Schedule, f.Hash, f.Steps = first.Schedule, first.Hash, first.Steps
		m.Hide(nil)
		f.Fingerprint = FingerprintOf(m, body)
		return f
	}
	m.Hide(nil)
	budget := opt.MinimizeRuns
	if budget == 0 {
		budget = DefaultMinimizeRuns
	}
	s := Minimize(m, body, first.Schedule, first.Failure.Kind, budget)
	f.Fingerprint = FingerprintOf(m, body)
	m.Trace(true)
	last := m.Run(NewReplay(s), body)
	f.Failure, f.Schedule, f.Hash, f.Steps = last.Failure, last.Schedule.Clone(), last.Hash, last.Steps
	if f.Failure == nil {
		f.Failure = nondeterminism(told, accountOf(m, last))
	}
	return f
}

// FingerprintOf runs the program under the default rule and returns the
// fingerprint of that run. It leaves the machine's tracing as it is.
func FingerprintOf(m *sim.Machine, body func(*sim.Task)) uint16 {
	return sim.Fingerprint(m.Run(sim.Default{}, body).Hash)
}
