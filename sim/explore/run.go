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
	// Workers is the number of machines that a sampler runs on, each in a goroutine; 0
	// means one. What the runs are does not depend on it. Strategies that are no samplers
	// search on one machine: they decide by what they have seen.
	Workers int
	// MinimizeRuns bounds the runs that are spent on making a failing schedule
	// smaller; 0 means DefaultMinimizeRuns, a negative number none.
	MinimizeRuns int
	// StepLimit bounds the explored operations of a run; 0 means the machine's
	// default.
	StepLimit int
	// ShowAll keeps the scheduling points of objects that only one task touches. The
	// results are the same, and take longer.
	ShowAll bool
	// First stops at the first failure of any kind, also at a minor one.
	First bool
	// Observer sees all runs; nil is the program's own, see Observed.
	Observer Observer
	// NoObserver leaves that out, too.
	NoObserver bool
	// CountTraces counts the distinct traces that were seen, up to MaxTraces.
	CountTraces bool
	// Progress, if not nil, is called now and then with what was done so far, by any of
	// the workers.
	Progress func(Progress)
}

// DefaultMinimizeRuns is enough for the schedules that minimising is for: the ones
// that people read.
const DefaultMinimizeRuns = 2_000

// MaxTraces bounds the memory for counting traces: beyond it, new ones are not counted.
const MaxTraces = 1 << 20

// Progress is what was done so far.
type Progress struct {
	Executions, Steps, Longest int
	// Traces that one worker saw, if they are counted.
	Traces int
}

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
	// Traces counts the distinct Mazurkiewicz traces that were seen, if that was asked
	// for. Unseen estimates the probability that the next sampled run shows a new one:
	// the share of runs whose trace was seen once (Good and Turing). It says nothing
	// about strategies that do not sample.
	Traces int
	Unseen float64
	// Coverage is what the runs cover completely.
	Coverage Coverage
	// Ended says why the exploration ended: "nothing left", "failure", "executions",
	// "time" or "interrupted".
	Ended string
	// Exhausted is set if the strategy had nothing left to run.
	Exhausted bool
	// Promise is what the strategy guarantees by its own theory, empty if nothing.
	Promise string
	// Restarts counts how often an object that had been thought private turned out not
	// to be, and the exploration was begun again.
	Restarts int
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
	// Others are further runs that the failure follows from, together with this one.
	Others []Witness
}

// Run explores body under the strategy. It stops at the first failure; of several workers
// that is the one of the earliest run.
func Run(ctx context.Context, body func(*sim.Task), s Strategy, opt Options) *Report {
	d := newDriver(ctx, body, opt)
	shares := d.explore(s)
	rep := total(shares)
	if f := earliest(shares); f != nil {
		rep.Found, rep.Ended = confirm(f.m, body, f.failed, f.failedAt, opt), endFailure
	} else if !d.branching.Load() {
		rep.Found, rep.Ended = nothingToExplore(shares[0].m, body), endFailure
	} else if c := concluded(shares); c != nil {
		rep.Found = c.found(shares[0].m, body, rep.Executions)
	} else if f := firstMinor(shares); f != nil {
		f.m.Hide(nil)
		if r := f.m.Run(NewReplay(f.minor.schedule), body); r.Failure != nil {
			rep.Found = confirm(f.m, body, r, f.minor.at, opt)
		} else {
			again := accountOf(f.m, r)
			rep.Found = &Found{Failure: nondeterminism(account{outcome: "failed"}, again), Schedule: f.minor.schedule, Hash: r.Hash,
				Fingerprint: sim.Fingerprint(r.Hash), Execution: f.minor.at, Machine: f.m, Steps: r.Steps}
		}
	}
	for _, w := range shares {
		if rep.Found == nil || w.m != rep.Found.Machine {
			w.m.Close()
		}
	}
	rep.Coverage = s.Covered()
	rep.Exhausted = rep.Ended == endNothingLeft
	if p, ok := shares[0].s.(promiser); ok {
		rep.Promise = p.Promise()
	}
	rep.Elapsed = time.Since(d.begin)
	return rep
}

// concluded is what the observers of all workers say together.
func concluded(shares []*share) *Conclusion {
	var all Observer
	for _, w := range shares {
		switch {
		case all == nil:
			all = w.observer
		case w.observer != nil:
			all.Merge(w.observer)
		}
	}
	if all == nil {
		return nil
	}
	return all.Conclude()
}

// promiser is a strategy with a guarantee of its own.
type promiser interface {
	// Promise words the guarantee for the program that was run.
	Promise() string
}

// nothingToExplore is the failure of a program without a scheduling point.
func nothingToExplore(m *sim.Machine, body func(*sim.Task)) *Found {
	m.Hide(nil)
	m.Trace(true)
	r := m.Run(sim.Default{}, body)
	f := &sim.Failure{Kind: sim.NoSchedulingPoints, Message: "at no point could more than one task run: there is nothing to explore"}
	return &Found{Failure: f, Schedule: r.Schedule(), Hash: r.Hash, Fingerprint: sim.Fingerprint(r.Hash), Execution: 1, Machine: m, Steps: r.Steps}
}

// confirm runs a failure again, makes it smaller, and records it.
func confirm(m *sim.Machine, body func(*sim.Task), r *sim.Result, execution int, opt Options) *Found {
	if r.Failure.ByStrategy {
		return byStrategy(m, body, *r, execution)
	}
	first, schedule, told := *r, r.Schedule(), accountOf(m, r)
	again := *m.Run(NewReplay(schedule), body)
	f := &Found{Execution: execution, Machine: m}
	if again.Hash != first.Hash || again.Failure == nil || again.Failure.Kind != first.Failure.Kind {
		f.Failure = nondeterminism(told, accountOf(m, &again))
		f.Schedule, f.Hash, f.Steps = schedule, first.Hash, first.Steps
		m.Hide(nil)
		f.Fingerprint = FingerprintOf(m, body)
		return f
	}
	m.Hide(nil)
	budget := opt.MinimizeRuns
	if budget == 0 {
		budget = DefaultMinimizeRuns
	}
	s := Minimize(m, body, schedule, first.Failure.Kind, budget)
	f.Fingerprint = FingerprintOf(m, body)
	m.Trace(true)
	last := m.Run(NewReplay(s), body)
	f.Failure, f.Schedule, f.Hash, f.Steps = last.Failure, last.Schedule(), last.Hash, last.Steps
	if f.Failure == nil {
		f.Failure = nondeterminism(told, accountOf(m, last))
	}
	return f
}

// byStrategy shows a failure that is about the exploration: the run as far as it went,
// followed by whatever the default rule makes of it.
func byStrategy(m *sim.Machine, body func(*sim.Task), r sim.Result, execution int) *Found {
	m.Hide(nil)
	f := &Found{Failure: r.Failure, Schedule: r.Schedule(), Hash: r.Hash, Steps: r.Steps, Execution: execution, Machine: m}
	f.Fingerprint = FingerprintOf(m, body)
	m.Trace(true)
	m.Run(NewReplay(f.Schedule), body)
	return f
}

// FingerprintOf runs the program under the default rule and returns the
// fingerprint of that run. It leaves the machine's tracing as it is.
func FingerprintOf(m *sim.Machine, body func(*sim.Task)) uint16 {
	return sim.Fingerprint(m.Run(sim.Default{}, body).Hash)
}
