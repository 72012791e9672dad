package explore

import "dmasim/sim"

// Recorded is a decorator that keeps the schedules of the last runs of a strategy.
type Recorded struct {
	Strategy
	// Keep is the number of schedules to keep; 0 means all.
	Keep int
	// Schedules, the latest last.
	Schedules []sim.Schedule
}

// Done keeps the schedule of the run.
func (w *Recorded) Done(r *sim.Result) bool {
	if !r.Abandoned {
		w.Schedules = append(w.Schedules, r.Schedule())
		if w.Keep > 0 && len(w.Schedules) > w.Keep {
			w.Schedules = w.Schedules[1:]
		}
	}
	return w.Strategy.Done(r)
}

// Counted is a decorator that counts what a strategy does, for those who drive a machine
// by themselves; Run counts by itself.
type Counted struct {
	Strategy
	Executions, Abandoned, Steps, Longest, Failures int
	// Decisions counts the points at which more than one task was enabled, and Switches
	// those at which another one than the default was picked.
	Decisions, Switches int
}

// Done counts the run.
func (w *Counted) Done(r *sim.Result) bool {
	if r.Abandoned {
		w.Abandoned++
	} else {
		w.Executions++
	}
	if r.Failure != nil {
		w.Failures++
	}
	w.Steps += r.Steps
	w.Longest = max(w.Longest, r.Steps)
	w.Decisions += r.Branching
	w.Switches += r.Switches()
	return w.Strategy.Done(r)
}
