package explore

import "dmasim/sim"

// Minimize looks for a smaller schedule that fails with the same kind. First it leaves
// out switches and choices one at a time until none can go. Leaving one out renumbers
// what comes after it, so that is not enough for schedules that were drawn at random:
// then it searches all schedules with fewer preemptions, fewest first, for as long as
// the budget allows. It uses at most budget runs. Schedules are compared by
// preemptions, then switches, then choices.
func Minimize(m *sim.Machine, body func(*sim.Task), s sim.Schedule, kind sim.Kind, budget int) sim.Schedule {
	best := s
	for improved := true; improved; {
		improved = false
		for i := 0; i < size(best) && budget > 0; i++ {
			budget--
			r := m.Run(NewReplay(without(best, i)), body)
			// The run's own schedule is taken, not the one that was asked for:
			// entries that were not possible are gone from it.
			if r.Failure != nil && r.Failure.Kind == kind && smaller(r.Schedule(), best) {
				best, improved = r.Schedule(), true
				i--
			}
		}
	}
	if p := best.Preemptions(); p > 0 {
		if found, ok := search(m, body, p-1, kind, budget); ok {
			best = found
		}
	}
	return best
}

// search looks for a failure of the kind with at most max preemptions, fewest first.
func search(m *sim.Machine, body func(*sim.Task), max int, kind sim.Kind, budget int) (sim.Schedule, bool) {
	s := NewDeepen(Coverage{Preemptions, max})
	for ; budget > 0; budget-- {
		r := m.Run(s, body)
		if r.Failure != nil && r.Failure.Kind == kind {
			return r.Schedule(), true
		}
		if !s.Done(r) {
			break
		}
	}
	return sim.Schedule{}, false
}

func size(s sim.Schedule) int { return len(s.Switches) + len(s.Choices) }

func without(s sim.Schedule, i int) sim.Schedule {
	c := s.Clone()
	if n := len(c.Switches); i < n {
		c.Switches = append(c.Switches[:i], c.Switches[i+1:]...)
	} else {
		c.Choices = append(c.Choices[:i-n], c.Choices[i-n+1:]...)
	}
	return c
}

func smaller(a, b sim.Schedule) bool {
	if x, y := a.Preemptions(), b.Preemptions(); x != y {
		return x < y
	}
	if x, y := len(a.Switches), len(b.Switches); x != y {
		return x < y
	}
	return len(a.Choices) < len(b.Choices)
}
