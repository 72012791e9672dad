package explore

import (
	"context"
	"maps"
	"math"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"dmasim/sim"
)

// Why an exploration ended.
const (
	endNothingLeft = "nothing left"
	endFailure     = "failure"
	endExecutions  = "executions"
	endTime        = "time"
	endInterrupted = "interrupted"
)

// Sampler is a strategy whose runs do not depend on each other, so that several workers
// can share them.
type Sampler interface {
	Strategy
	// Fork returns a sampler for the runs first, first+stride, first+2*stride and so on
	// of this one, counted from 0. Its run number i is the same as run number i of this
	// one, however they are shared out; what a sampler learns from earlier runs, it
	// learns from its own.
	Fork(first, stride uint64) Sampler
}

// driver shares an exploration out among workers.
type driver struct {
	ctx       context.Context
	body      func(*sim.Task)
	opt       Options
	begin     time.Time
	lowest    atomic.Int64 // of the numbers of failed runs
	branching atomic.Bool

	executions, steps, longest atomic.Int64
}

func newDriver(ctx context.Context, body func(*sim.Task), opt Options) *driver {
	d := &driver{ctx: ctx, body: body, opt: opt, begin: time.Now()}
	d.lowest.Store(math.MaxInt64)
	return d
}

// share is what one worker did.
type share struct {
	Report
	m        *sim.Machine
	s        Strategy
	failed   *sim.Result // the machine's last run, if it failed
	failedAt int         // its number, from 1
	minor    *minorRun   // the first of those that failed in a minor way
	observer Observer
	seen     map[uint64]uint32
}

// minorRun is a run whose failure is minor: the exploration went on after it.
type minorRun struct {
	at       int // its number, from 1
	schedule sim.Schedule
}

// explore runs the strategy, on as many workers as it can use.
func (d *driver) explore(s Strategy) []*share {
	m := sim.NewMachine()
	m.StepLimit = d.opt.StepLimit
	var private *visibility
	if !d.opt.ShowAll {
		private = discover(m, d.body)
	}
	sampler, ok := s.(Sampler)
	if !ok || d.opt.Workers < 2 {
		return []*share{d.work(m, s, private, 0, 1, d.opt.Observer)}
	}
	shares := make([]*share, d.opt.Workers)
	var g errgroup.Group
	for i := range shares {
		own := m
		if i > 0 {
			own = sim.NewMachine()
			own.StepLimit = d.opt.StepLimit
		}
		known := private.clone(own)
		seen := d.opt.Observer
		if i > 0 && seen != nil {
			seen = seen.Fork()
		}
		g.Go(func() error {
			shares[i] = d.work(own, sampler.Fork(uint64(i), uint64(len(shares))), known, i, len(shares), seen)
			return nil
		})
	}
	_ = g.Wait() // none of them returns an error
	for _, w := range shares {
		if w == nil {
			panic("explore: the program ended a worker with runtime.Goexit, as t.Fatal does; use sim.Task.Fail")
		}
	}
	return shares
}

// work does the runs first, first+stride and so on.
func (d *driver) work(m *sim.Machine, s Strategy, private *visibility, first, stride int, seen Observer) *share {
	w := &share{m: m, s: s, observer: seen}
	var traces Traces
	if d.opt.CountTraces {
		w.seen = map[uint64]uint32{}
	}
	for i := first; ; i += stride {
		if d.opt.Executions > 0 && (stride > 1 && i >= d.opt.Executions || w.Executions >= d.opt.Executions) {
			w.Ended = endExecutions
			return w
		}
		if int64(i) > d.lowest.Load() { // an earlier run has failed
			w.Ended = endFailure
			return w
		}
		r := m.Run(s, d.body)
		w.count(r)
		if r.Branching > 0 {
			d.branching.Store(true)
		}
		if w.seen != nil && !r.Abandoned {
			if h := traces.Of(m); len(w.seen) < MaxTraces || w.seen[h] > 0 {
				w.seen[h]++
			}
		}
		number := w.Executions
		if stride > 1 {
			number = i + 1
		}
		if w.observer == nil && !d.opt.NoObserver {
			w.observer = observerOf(m)
		}
		if w.observer != nil && !r.Abandoned {
			w.observer.Observe(number, m, r)
		}
		if r.Failure != nil && r.Failure.Minor && !d.opt.First {
			if s := r.Schedule(); w.minor == nil && d.confirms(s) {
				w.minor = &minorRun{number, s}
			}
		} else if r.Failure != nil {
			w.failed, w.failedAt = r, number
			d.fail(int64(i))
			w.Ended = endFailure
			return w
		}
		if private != nil && private.revise(m) {
			w.Restarts++
			if again, ok := s.(restarter); ok {
				again.Restart()
				continue
			}
		}
		if !s.Done(r) {
			w.Ended = endNothingLeft
			return w
		}
		if w.Ended = d.over(i/stride, r, w); w.Ended != "" {
			return w
		}
	}
}

// confirms tells whether a run fails where all objects are shown. What is minor is a prediction from
// the order of a run, of which one with hidden objects has not all.
func (d *driver) confirms(s sim.Schedule) bool {
	m := sim.NewMachine()
	defer m.Close()
	m.StepLimit = d.opt.StepLimit
	return m.Run(NewReplay(s), d.body).Failure != nil
}

// over looks at the clock and at who wants to know, now and then, and says why the
// exploration has to end; nothing if it goes on.
func (d *driver) over(n int, r *sim.Result, w *share) string {
	d.executions.Add(1)
	d.steps.Add(int64(r.Steps))
	if d.longest.Load() < int64(r.Steps) {
		d.longest.Store(int64(r.Steps))
	}
	if d.opt.Time == 0 && n&0x3f != 0x3f {
		return ""
	}
	switch {
	case d.ctx.Err() != nil:
		return endInterrupted
	case d.opt.Time > 0 && time.Since(d.begin) >= d.opt.Time:
		return endTime
	}
	if d.opt.Progress != nil && n&0x3f == 0x3f {
		d.opt.Progress(Progress{int(d.executions.Load()), int(d.steps.Load()), int(d.longest.Load()), len(w.seen)})
	}
	return ""
}

// fail notes that run number i failed.
func (d *driver) fail(i int64) {
	for {
		low := d.lowest.Load()
		if low <= i || d.lowest.CompareAndSwap(low, i) {
			return
		}
	}
}

func (w *share) count(r *sim.Result) {
	if r.Abandoned {
		w.Abandoned++
	} else {
		w.Executions++
	}
	w.Steps += r.Steps
	w.Longest = max(w.Longest, r.Steps)
}

// total adds up what the workers did.
func total(shares []*share) *Report {
	rep := &Report{Ended: shares[0].Ended}
	var seen map[uint64]uint32
	for _, w := range shares {
		rep.Executions += w.Executions
		rep.Abandoned += w.Abandoned
		rep.Steps += w.Steps
		rep.Restarts += w.Restarts
		rep.Longest = max(rep.Longest, w.Longest)
		if seen == nil {
			seen = w.seen
		} else {
			for h, n := range w.seen {
				seen[h] += n
			}
		}
	}
	rep.Traces = len(seen)
	once := 0
	for n := range maps.Values(seen) {
		if n == 1 {
			once++
		}
	}
	if rep.Executions > 0 {
		rep.Unseen = float64(once) / float64(rep.Executions)
	}
	return rep
}

// earliest is the share with the failure of the lowest number, nil if none failed.
func earliest(shares []*share) *share {
	var first *share
	for _, w := range shares {
		if w.failed != nil && (first == nil || w.failedAt < first.failedAt) {
			first = w
		}
	}
	return first
}

// firstMinor is the share with the earliest run that failed in a minor way, nil if none did.
func firstMinor(shares []*share) *share {
	var first *share
	for _, w := range shares {
		if w.minor != nil && (first == nil || w.minor.at < first.minor.at) {
			first = w
		}
	}
	return first
}
