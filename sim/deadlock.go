package sim

import (
	"fmt"
	"slices"
	"strings"
)

// deadlock describes a state in which no task can take a step. If tasks wait for each
// other in a ring, or if any of those that are left might have been the one to wake another, that
// is a Deadlock; if nobody is left who could, it is a LostWakeup.
func (m *Machine) deadlock() *Failure {
	waiting := m.blocked()
	if len(waiting) == 0 {
		return &Failure{Kind: Misuse, Senseless: true, Message: "the first task has ended without Explore, and the tasks that it created never started"}
	}
	f := &Failure{Kind: Deadlock, Task: waiting[0]}
	if cycle := findCycle(waiting); cycle != nil {
		f.Task = cycle[0]
		f.Message = describeCycle(cycle)
	} else if lost := alone(waiting); lost != nil {
		f.Kind, f.Task = LostWakeup, lost
		f.Message = fmt.Sprintf("%s waits for %s, and nobody is left who could end that", lost.Name, lost.waitsFor())
	} else {
		var names []string
		for _, t := range waiting {
			names = append(names, t.Name)
		}
		f.Message = "nobody can wake " + strings.Join(names, ", ")
	}
	m.hang(f, waiting)
	return f
}

// alone is a task that waits for something nobody holds, if all tasks that are left wait
// for the same.
func alone(waiting []*Task) *Task {
	for _, t := range waiting {
		if len(t.owners()) > 0 || t.op.Obj != waiting[0].op.Obj || t.op.Obj == nil && len(waiting) > 1 {
			return nil
		}
	}
	return waiting[0]
}

// stalled describes a state that only the given recovery timer would leave.
func (m *Machine) stalled(timer *Task) *Failure {
	waiting := m.blocked()
	f := &Failure{
		Kind:    Stall,
		Task:    waiting[0],
		Message: fmt.Sprintf("%s waits for %s, and only %s could end that", waiting[0].Name, waiting[0].waitsFor(), timer.Name),
	}
	m.hang(f, waiting)
	return f
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

// hung is a blocked task in a report: what it waits for, and its chain of calls once it
// has been ended.
type hung struct {
	task *Task
	line string
}

// hang describes the blocked tasks, each as the kernel does a hung task.
func (m *Machine) hang(f *Failure, waiting []*Task) {
	for _, t := range waiting {
		line := fmt.Sprintf("INFO: %s is blocked: %s", t, t.waitsFor())
		if o := t.owners(); len(o) > 0 {
			var names []string
			for _, u := range o {
				name := u.String()
				if u.done {
					name += ", which has ended"
				}
				names = append(names, name)
			}
			line += ", held by " + strings.Join(names, ", ")
		} else if e, ok := t.op.Guard.(Explained); ok {
			if why := e.Explain(t); why != "" {
				line += ", " + why
			}
		}
		if t.labelled {
			line += fmt.Sprintf(" (at %s %s)", t.label, t.text)
		}
		f.hung = append(f.hung, hung{t, line})
		f.Detail = append(f.Detail, line)
	}
}

// addChains completes the description once the blocked tasks have told their calls.
func (f *Failure) addChains() {
	var out []string
	for _, h := range f.hung {
		out = append(out, h.line)
		if len(h.task.chain) > 0 {
			out = append(out, "  Call trace: "+strings.Join(h.task.chain, " <- "))
		}
	}
	f.Detail = append(out, f.Detail[len(f.hung):]...)
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

// findCycle looks for a ring of tasks each of which waits for the next. A task that
// waits for several waits for all of them.
func findCycle(waiting []*Task) []*Task {
	over := map[*Task]bool{}
	var path []*Task
	var visit func(t *Task) []*Task
	visit = func(t *Task) []*Task {
		if i := slices.Index(path, t); i >= 0 {
			return path[i:]
		}
		if over[t] || t.done || !t.announced {
			return nil
		}
		over[t] = true
		path = append(path, t)
		for _, u := range t.owners() {
			if c := visit(u); c != nil {
				return c
			}
		}
		path = path[:len(path)-1]
		return nil
	}
	for _, t := range waiting {
		if c := visit(t); c != nil {
			return c
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
