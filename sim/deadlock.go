package sim

import (
	"fmt"
	"strings"
)

// deadlock describes a state in which no task can take a step.
func (m *Machine) deadlock() *Failure {
	f := &Failure{Kind: Deadlock}
	waiting := m.blocked()
	var names []string
	for _, t := range waiting {
		names = append(names, t.Name)
	}
	if cycle := findCycle(waiting); cycle != nil {
		f.Task = cycle[0]
		f.Message = describeCycle(cycle)
	} else {
		f.Task = waiting[0]
		f.Message = "nobody can wake " + strings.Join(names, ", ")
	}
	f.Detail = m.describeBlocked(waiting)
	return f
}

// stalled describes a state that only the given recovery timer would leave.
func (m *Machine) stalled(timer *Task) *Failure {
	waiting := m.blocked()
	return &Failure{
		Kind:    Stall,
		Task:    waiting[0],
		Message: fmt.Sprintf("%s waits for %s, and only %s could end that", waiting[0].Name, waiting[0].waitsFor(), timer.Name),
		Detail:  m.describeBlocked(waiting),
	}
}

// blocked lists the tasks that wait for something that other tasks must do.
func (m *Machine) blocked() []*Task {
	var out []*Task
	for _, t := range m.live {
		if t.timer || t.held || t.parent == nil && m.phase == PhaseExplore {
			continue
		}
		out = append(out, t)
	}
	return out
}

func (m *Machine) describeBlocked(waiting []*Task) []string {
	var out []string
	for _, t := range waiting {
		line := fmt.Sprintf("%s is blocked: %s", t, t.waitsFor())
		if o := t.owners(); len(o) > 0 {
			var names []string
			for _, u := range o {
				names = append(names, u.String())
			}
			line += ", held by " + strings.Join(names, ", ")
		} else if e, ok := t.op.Guard.(Explained); ok {
			line += ", " + e.Explain(t)
		}
		if t.labelled {
			line += fmt.Sprintf(" (at %s %s)", t.label, t.text)
		}
		out = append(out, line)
	}
	return out
}

func (t *Task) owners() []*Task {
	if o, ok := t.op.Guard.(Owned); ok {
		return o.Owners(t)
	}
	return nil
}

func (t *Task) waitsFor() string {
	s := t.op.Verb
	if t.op.Obj != nil {
		s += " " + t.m.ObjectName(t.op.Obj)
	}
	return s
}

// findCycle follows owners from each waiting task until one repeats.
func findCycle(waiting []*Task) []*Task {
	for _, start := range waiting {
		seen := map[*Task]int{}
		var path []*Task
		for t := start; t != nil; {
			if i, ok := seen[t]; ok {
				return path[i:]
			}
			seen[t] = len(path)
			path = append(path, t)
			o := t.owners()
			if len(o) == 0 || o[0].done || !o[0].announced {
				break
			}
			t = o[0]
		}
	}
	return nil
}

func describeCycle(cycle []*Task) string {
	var parts []string
	for i, t := range cycle {
		holder := cycle[(i+1)%len(cycle)]
		parts = append(parts, fmt.Sprintf("%s waits for %s held by %s", t.Name, t.waitsFor(), holder.Name))
	}
	return strings.Join(parts, "; ")
}
