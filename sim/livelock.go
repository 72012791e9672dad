package sim

import (
	"fmt"
	"strings"
)

// A run that reaches its step bound is looked at once, at its end: what a task did last is a
// cycle if its steps repeat. A step is the operation and the name of its object; no state is
// compared. Tasks that come and go under one name, such as work items, count as one.

// tailLength is how many of the last operations are looked at: half of those of a run at most.
const tailLength = 4096

// repeated is how often steps have to come to be a cycle.
const repeated = 3

// tailStep is an operation near the step bound, one on a hidden object included.
type tailStep struct {
	t     *Task
	verb  string
	obj   *Object
	class Class // if it has no event
	event int32 // or -1
}

// progress is something that a program calls progress.
type progress struct {
	task *Task
	what string
	step int
}

// Progress says that something was achieved that the program is there for: an I/O has
// completed, a buffer was moved. Then steps that repeat are a livelock only if no task makes
// progress, and starvation of those that do not if others do. It belongs to the operation that
// was granted last.
func (t *Task) Progress(what string) {
	if m := t.m; m.phase == PhaseExplore && !m.dead {
		m.progress = append(m.progress, progress{t, what, m.steps})
	}
}

// NoLivelock leaves out, for the rest of the run, the look at what repeats: a run without an end
// is step-bound, and [Task.Livelock] returns.
func (m *Machine) NoLivelock() { m.plainBound = true }

// Livelock ends the run because an operation was tried too often: it is the failure of a retry
// loop that has a limit of its own, and tells what repeats. It does not return, unless nobody
// wants to know.
func (t *Task) Livelock(format string, args ...any) {
	if t.m.plainBound {
		return
	}
	var detail []string
	tail, tasks := t.m.recent()
	for _, a := range t.m.actors(tail, tasks) {
		if a.repeats > 0 {
			detail = append(detail, a.String())
		}
	}
	t.FailWith(Livelock, detail, format, args...)
}

// watched notes an operation that comes near the step bound.
func (m *Machine) watched(t *Task, event int) {
	if len(m.tail) == 0 {
		m.tailTasks = len(m.tasks)
	}
	op := &t.op
	m.tail = append(m.tail, tailStep{t, op.Verb, op.Obj, op.Class, int32(event)})
}

// recent is the tail of a run that is not near its bound, and the number of tasks before it.
func (m *Machine) recent() (out []tailStep, tasks int) {
	from, to := m.Explored()
	from = max(from, to-tailLength)
	for tasks < len(m.tasks) && m.tasks[tasks].born <= from {
		tasks++
	}
	for i := from; i < to; i++ {
		if e := &m.events[i]; !e.IsChoice() {
			out = append(out, tailStep{e.Task, e.Verb, e.Obj, e.Class, int32(i)})
		}
	}
	return out, tasks
}

// actor is a task in the tail, or those of one name that came and went in it.
type actor struct {
	name  string
	task  *Task // the last of them
	steps []tailStep
	done  []progress // in the tail

	cycle   []tailStep
	repeats int // of the cycle, up to the end; 0 if nothing repeats
}

// endless is the failure of a run that has reached its step bound.
func (m *Machine) endless() *Failure {
	if m.plainBound {
		return &Failure{Kind: StepBound, Message: fmt.Sprintf("the run is not over after %d operations, the step bound", m.steps)}
	}
	all := m.actors(m.tail, m.tailTasks)
	var stuck, going []*actor
	for _, a := range all {
		if a.repeats > 0 && len(a.done) == 0 && !(m.named() && a.over()) {
			stuck = append(stuck, a)
		} else {
			going = append(going, a)
		}
	}
	f := &Failure{Kind: StepBound, Message: fmt.Sprintf("the run is not over after %d operations, the step bound", m.steps)}
	starved, by := m.starved(stuck, going)
	switch {
	case len(starved) > 0:
		f.Kind, f.Task = Starvation, starved[0].task
		f.Message += fmt.Sprintf(": %s in vain while %s", phrase(starved, (*actor).short), by)
	case len(stuck) > 0 && m.advancing(going) == nil:
		f.Kind, f.Task = Livelock, stuck[0].task
		f.Message += ": " + phrase(stuck, (*actor).short)
		if m.named() {
			f.Message += ", and nobody makes progress"
		}
	}
	for _, a := range all {
		if a.repeats > 0 {
			f.Detail = append(f.Detail, a.String())
		}
	}
	ran := map[*Task]bool{}
	for i := range m.tail {
		ran[m.tail[i].t] = true
	}
	for _, t := range m.enabled {
		if !ran[t] && t.index < m.tailTasks {
			f.Detail = append(f.Detail, fmt.Sprintf("%s could have run all the time, and never got its turn", t))
		}
	}
	if n := len(m.progress); n > 0 {
		p := &m.progress[n-1]
		f.Detail = append(f.Detail, fmt.Sprintf("last progress: %s by %s at step %d", p.what, p.task, p.step))
	}
	return f
}

// named tells whether the program says what progress is.
func (m *Machine) named() bool { return len(m.progress) > 0 }

// advancing are those that make progress.
func (m *Machine) advancing(going []*actor) (out []*actor) {
	for _, a := range going {
		if len(a.done) > 0 {
			out = append(out, a)
		}
	}
	return out
}

// starved are those of the stuck that others keep from getting on, and what the others do:
// they make progress; or, where nobody says what that is, they write what the starved only look
// at or fail to take.
func (m *Machine) starved(stuck, going []*actor) (out []*actor, by string) {
	if others := m.advancing(going); len(others) > 0 {
		return stuck, phrase(others, func(a *actor) string {
			return fmt.Sprintf("%s makes progress (%s, %d times)", a.name, a.done[0].what, len(a.done))
		})
	}
	if m.named() {
		return nil, ""
	}
	var writers []*actor
	for _, a := range stuck {
		objs := m.onlyReads(a)
		if objs == nil {
			continue
		}
		kept := false
		for _, b := range append(append([]*actor(nil), stuck...), going...) {
			if b != a && m.writes(b, objs) {
				kept = true
				if !contains(writers, b) {
					writers = append(writers, b)
				}
			}
		}
		if kept {
			out = append(out, a)
		}
	}
	return out, phrase(writers, func(b *actor) string { return b.name + " writes what it waits for" })
}

func contains(list []*actor, a *actor) bool {
	for _, b := range list {
		if a == b {
			return true
		}
	}
	return false
}

// onlyReads are the objects of a cycle that writes nothing, nil if it does or has none.
func (m *Machine) onlyReads(a *actor) map[*Object]bool {
	var objs map[*Object]bool
	for i := range a.cycle {
		s := &a.cycle[i]
		if s.obj == nil {
			continue
		}
		if m.classOf(s) != Read {
			return nil
		}
		if objs == nil {
			objs = map[*Object]bool{}
		}
		objs[s.obj] = true
	}
	return objs
}

func (m *Machine) writes(a *actor, objs map[*Object]bool) bool {
	for i := range a.steps {
		if s := &a.steps[i]; s.obj != nil && objs[s.obj] && m.classOf(s) != Read {
			return true
		}
	}
	return false
}

// classOf is the class of a step as its operation corrected it.
func (m *Machine) classOf(s *tailStep) Class {
	if s.event >= 0 {
		return m.events[s.event].Class
	}
	return s.class
}

// over tells whether the tasks have ended.
func (a *actor) over() bool { return a.task.done }

// actors sorts the tail by who did it, in order of appearance, and looks for cycles. There were
// so many tasks before it.
func (m *Machine) actors(tail []tailStep, tasks int) []*actor {
	var out []*actor
	of := map[*Task]*actor{}
	named := map[string]*actor{}
	for _, s := range tail {
		a := of[s.t]
		if a == nil && s.t.index >= tasks {
			a = named[s.t.Name]
		}
		if a == nil {
			a = &actor{name: s.t.String()}
			if s.t.index >= tasks {
				a.name = s.t.Name
				named[a.name] = a
			}
			out = append(out, a)
		}
		of[s.t], a.task = a, s.t
		a.steps = append(a.steps, s)
	}
	first := m.steps - len(tail)
	for _, p := range m.progress {
		if a := of[p.task]; a != nil && p.step > first {
			a.done = append(a.done, p)
		}
	}
	for _, a := range out {
		a.findCycle()
	}
	return out
}

// findCycle looks for the shortest cycle that fills most of what the actor did, to the end.
func (a *actor) findCycle() {
	n := len(a.steps)
	at := func(i int) tailStep { return a.steps[n-1-i] } // from the end
	same := func(i, j int) bool {
		s, u := at(i), at(j)
		return s.verb == u.verb && (s.obj == u.obj || s.obj != nil && u.obj != nil && s.obj.Type == u.obj.Type && s.obj.Name == u.obj.Name)
	}
	// match[p] is how far the steps agree with those p before them.
	match := make([]int, n)
	left, right := 0, 0
	best, cover := 0, 0
	for p := 1; p < n; p++ {
		k := 0
		if p < right {
			k = min(right-p, match[p-left])
		}
		for p+k < n && same(k, p+k) {
			k++
		}
		match[p] = k
		if p+k > right {
			left, right = p, p+k
		}
		if k >= (repeated-1)*p && p+k > cover {
			best, cover = p, p+k
		}
	}
	if best == 0 || 2*cover < n {
		return
	}
	a.cycle, a.repeats = a.steps[n-best:], cover/best
}

// short says how much repeats.
func (a *actor) short() string {
	return fmt.Sprintf("%s repeats %s %d times", a.name, count(len(a.cycle), "step"), a.repeats)
}

// String is the cycle in a line.
func (a *actor) String() string {
	var steps []string
	for i := range a.cycle {
		s := a.cycle[i].verb
		if o := a.cycle[i].obj; o != nil {
			name := o.Name
			if name == "" {
				name = o.Type
			}
			s += " " + name
		}
		steps = append(steps, s)
	}
	const most = 12
	if n := len(steps); n > most {
		steps = append(steps[:most:most], fmt.Sprintf("... %d more", n-most))
	}
	return a.short() + ": " + strings.Join(steps, "; ")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// phrase joins what is said of each.
func phrase(list []*actor, say func(*actor) string) string {
	var out []string
	for _, a := range list {
		out = append(out, say(a))
	}
	return strings.Join(out, ", ")
}
