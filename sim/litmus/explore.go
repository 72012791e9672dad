package litmus

import (
	"context"
	"encoding/binary"
	"slices"
	"time"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// Options bound an exploration.
type Options struct {
	// Runs is the largest number of runs, those included that the strategy gives up;
	// 0 means no limit.
	Runs int
	// Time is how long it may take; 0 means no limit.
	Time time.Duration
}

// Result is what an exploration saw.
type Result struct {
	// Executions counts the runs that came to an end: in a final state, in a
	// deadlock, or in a failure.
	Executions int
	// Blocked counts the runs that the strategy gave up, since they could only
	// repeat what it knew.
	Blocked   int
	Deadlocks int
	// Complete is set if no interleaving is left that could do something else.
	Complete bool
	// States are the final states, sorted by their values.
	States []Count
	// Deadlock is one of the deadlocks, nil if there was none.
	Deadlock *Finding
	// Failure is the misuse that ended the exploration, nil if there was none.
	Failure *Finding
}

// Count is a final state and the number of executions that ended in it.
type Count struct {
	State
	Count int
}

// Finding is a run that did not end in a final state, with as few preemptions as
// could be found.
type Finding struct {
	Failure  *sim.Failure
	Schedule sim.Schedule
	// Trace lists the operations in the order in which they were done.
	Trace []Done
	// Waiting lists the operations that were not done, of tasks that could not go on.
	Waiting []Done
}

// Done is an operation and the task that did it.
type Done struct {
	Task int
	Op   Op
}

// True tells whether the program's condition is true of the states that were seen.
func (r *Result) True(c *Condition) bool {
	states := make([]State, len(r.States))
	for i, s := range r.States {
		states[i] = s.State
	}
	return c.True(states)
}

// Explore runs the program under the strategy until there is nothing left, the budget
// is used up, or the program fails. A deadlock is not a failure.
func Explore(ctx context.Context, p *Program, s explore.Strategy, opt Options) *Result {
	e := &exploration{p: p, m: sim.NewMachine(), body: p.Body(), counts: map[string]*Count{}}
	defer e.m.Close()
	events := len(p.Tasks)
	p.each(func(int, Op) { events++ })
	e.m.StepLimit = max(sim.DefaultStepLimit, events) // no program of this language runs on for ever
	begin := time.Now()
	var dead, failed *Finding
	for runs := 1; ; runs++ {
		r := e.m.Run(s, e.body)
		switch {
		case r.Abandoned:
			e.Blocked++
		case r.Failure == nil:
			e.Executions++
			e.count()
		case r.Failure.Kind.Hangs():
			e.Executions++
			if e.Deadlocks++; dead == nil {
				dead = keep(r)
			}
		default:
			e.Executions++
			failed = keep(r)
		}
		if failed != nil {
			break
		}
		if !s.Done(r) {
			e.Complete = s.Covered().Bound == explore.All
			break
		}
		if runs == opt.Runs || opt.Time > 0 && time.Since(begin) >= opt.Time || runs&0x3f == 0 && ctx.Err() != nil {
			break
		}
	}
	for _, c := range e.counts {
		e.States = append(e.States, *c)
	}
	slices.SortFunc(e.States, func(a, b Count) int { return slices.Compare(a.Values, b.Values) })
	e.Deadlock, e.Failure = e.find(dead), e.find(failed)
	return &e.Result
}

type exploration struct {
	Result
	p      *Program
	m      *sim.Machine
	body   func(*sim.Task)
	counts map[string]*Count // by the bytes of the values
	key    []byte
}

// keep notes what the next run would overwrite.
func keep(r *sim.Result) *Finding { return &Finding{Failure: r.Failure, Schedule: r.Schedule()} }

func (e *exploration) count() {
	e.key = e.key[:0]
	for _, v := range e.p.last.places {
		e.key = binary.LittleEndian.AppendUint64(e.key, uint64(*v))
	}
	c := e.counts[string(e.key)]
	if c == nil {
		c = &Count{State: e.p.last.state()}
		e.counts[string(e.key)] = c
	}
	c.Count++
}

// find makes the schedule of a run smaller and repeats it.
func (e *exploration) find(r *Finding) *Finding {
	if r == nil {
		return nil
	}
	m := sim.NewMachine() // what the strategy has arranged on the other one is its own affair
	defer m.Close()
	m.StepLimit = e.m.StepLimit
	s := explore.Minimize(m, e.body, r.Schedule, r.Failure.Kind, explore.DefaultMinimizeRuns)
	again := m.Run(explore.NewReplay(s), e.body)
	if again.Failure == nil || again.Failure.Kind != r.Failure.Kind {
		return r // the failure is the strategy's own
	}
	f := &Finding{Failure: again.Failure, Schedule: again.Schedule()}
	next := make([]int, len(e.p.Tasks))
	visible := func(task int) (Op, bool) {
		for ; next[task] < len(e.p.Tasks[task]); next[task]++ {
			if o := e.p.Tasks[task][next[task]]; o.Kind != Compute {
				next[task]++
				return o, true
			}
		}
		return Op{}, false
	}
	for _, ev := range m.Events() {
		if ev.Task.Parent() == nil {
			continue
		}
		task := ev.Task.Index() - 1 // the first task is the set-up
		if o, ok := visible(task); ok {
			f.Trace = append(f.Trace, Done{task, o})
		}
	}
	if f.Failure.Kind.Hangs() {
		for task := range next {
			if o, ok := visible(task); ok {
				f.Waiting = append(f.Waiting, Done{task, o})
			}
		}
	}
	return f
}
