package explore

import (
	"fmt"

	"dmasim/sim"
)

// account is a run in words, one line for each event, kept to compare it with
// another.
type account struct {
	lines   []string
	outcome string
}

// accountOf describes the machine's last run.
func accountOf(m *sim.Machine, r *sim.Result) account {
	a := account{outcome: fmt.Sprintf("passed after %d steps", r.Steps)}
	if f := r.Failure; f != nil {
		a.outcome = fmt.Sprintf("failed after %d steps (%s: %s)", r.Steps, f.Kind, f.Message)
	}
	events := m.Events()
	for i := range events {
		e := &events[i]
		line := e.Task.String() + ": " + e.Verb
		if e.Obj != nil {
			line += " " + m.ObjectName(e.Obj)
		}
		if e.IsChoice() {
			line += fmt.Sprintf(" = %d", e.Value)
		}
		a.lines = append(a.lines, line)
	}
	return a
}

// nondeterminism says at which event two runs of one schedule part.
func nondeterminism(a, b account) *sim.Failure {
	f := &sim.Failure{Kind: sim.Nondeterminism, Message: "the same schedule gave two different runs"}
	line := func(x account, i int) string {
		if i < len(x.lines) {
			return x.lines[i]
		}
		return "nothing, it was over"
	}
	for i := range max(len(a.lines), len(b.lines)) {
		if first, then := line(a, i), line(b, i); first != then {
			f.Message += fmt.Sprintf("; they part at event %d", i+1)
			f.Detail = append(f.Detail, "first "+first, "then  "+then)
			break
		}
	}
	f.Detail = append(f.Detail, "the first run "+a.outcome, "the second run "+b.outcome)
	return f
}

// Twice is a decorator that runs every schedule of a strategy a second time and
// compares: a strategy's own runs with the replays of what they did.
type Twice struct {
	Strategy
	// Differs is what was found, nil as long as every pair of runs was equal.
	Differs *sim.Failure

	replay *Replay
	first  sim.Result
	told   account
	m      *sim.Machine
}

func (w *Twice) Next(p *sim.Point) *sim.Task {
	w.m = p.Enabled[0].Machine()
	if w.replay != nil {
		return w.replay.Next(p)
	}
	return w.Strategy.Next(p)
}

func (w *Twice) Choose(t *sim.Task, n int) int {
	if w.replay != nil {
		return w.replay.Choose(t, n)
	}
	return w.Strategy.Choose(t, n)
}

// Done lets the strategy go on after the second run of each pair, and ends the
// exploration at the first pair that differs.
func (w *Twice) Done(r *sim.Result) bool {
	if w.m == nil { // the run had no scheduling point
		return w.Strategy.Done(r)
	}
	if w.replay == nil {
		w.first, w.told = *r, accountOf(w.m, r)
		w.replay = NewReplay(r.Schedule())
		return true
	}
	w.replay = nil
	if r.Hash != w.first.Hash {
		w.Differs = nondeterminism(w.told, accountOf(w.m, r))
		return false
	}
	return w.Strategy.Done(&w.first)
}
