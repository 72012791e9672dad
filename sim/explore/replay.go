package explore

import (
	"fmt"

	"dmasim/sim"
)

// Replay follows a schedule, once. Where the schedule asks for something that is
// not possible, because the program has changed, it goes on by the default rule
// and notes the divergence.
type Replay struct {
	schedule sim.Schedule
	next     int
	choice   int
	chosen   int
	// Diverged describes the first point at which the schedule could not be
	// followed; empty if there was none.
	Diverged string
}

// NewReplay returns a strategy that follows s.
func NewReplay(s sim.Schedule) *Replay { return &Replay{schedule: s} }

func (r *Replay) Name() string          { return "replay" }
func (r *Replay) Covered() Coverage     { return Coverage{} }
func (r *Replay) Done(*sim.Result) bool { return false }

func (r *Replay) Next(p *sim.Point) *sim.Task {
	if r.next == len(r.schedule.Switches) || r.schedule.Switches[r.next].Step != p.Step {
		return p.Default()
	}
	want := r.schedule.Switches[r.next].Task
	r.next++
	for _, t := range p.Enabled {
		if t.ID() == want {
			return t
		}
	}
	if r.Diverged == "" {
		r.Diverged = fmt.Sprintf("step %d: recorded a switch to task %s, which cannot run now; enabled: %s",
			p.Step, want, describeEnabled(p))
	}
	return p.Default()
}

func describeEnabled(p *sim.Point) string {
	s := ""
	for i, t := range p.Enabled {
		if i > 0 {
			s += ", "
		}
		op, _ := t.Pending()
		s += t.String() + " about to " + op.Verb
		if op.Obj != nil {
			s += " " + t.Machine().ObjectName(op.Obj)
		}
	}
	return s
}

func (r *Replay) Choose(t *sim.Task, n int) int {
	v := 0
	if r.chosen < len(r.schedule.Choices) && r.schedule.Choices[r.chosen].N == r.choice {
		v = r.schedule.Choices[r.chosen].Value
		r.chosen++
		if v >= n {
			if r.Diverged == "" {
				r.Diverged = fmt.Sprintf("choice %d: recorded value %d, but there are only %d values now", r.choice, v, n)
			}
			v = 0
		}
	}
	r.choice++
	return v
}

// Unused tells how much of the schedule the run did not come to; empty if all was
// used.
func (r *Replay) Unused() string {
	if n := len(r.schedule.Switches) - r.next; n > 0 {
		return fmt.Sprintf("the run ended before step %d, to which a switch was recorded", r.schedule.Switches[r.next].Step)
	}
	if r.chosen < len(r.schedule.Choices) {
		return fmt.Sprintf("the run ended before choice %d, for which a value was recorded", r.schedule.Choices[r.chosen].N)
	}
	return ""
}
