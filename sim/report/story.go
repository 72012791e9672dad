package report

import (
	"slices"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// entry is one row of the diagram.
type entry struct {
	// task is the one in whose lane the entry stands; nil if it concerns all.
	task        *sim.Task
	label, text string
	// mark is set where the run failed.
	mark string
	// key keeps the entry from being folded.
	key bool
	// folded is the number of entries that this one stands for; 0 for an ordinary
	// one.
	folded int
}

const (
	// maxBlocked bounds the entries of tasks that wait; the detail lists them all.
	maxBlocked = 6
	// comfortable is the number of entries up to which nothing is folded.
	comfortable = 14
	// most is the number of entries that a diagram has at most.
	most = 36
)

// story selects what the diagram shows, in order of time.
func story(f *explore.Found) []entry {
	if f == nil || f.Machine == nil {
		return nil
	}
	m := f.Machine
	rows := m.Rows()
	at := locate(rows, f.Failure)
	var out []entry
	for i := range rows[:at.end] {
		r := &rows[i]
		if r.Failed || !told(r.Phase, at.phase) {
			continue
		}
		e := entry{task: r.Task, label: clean(r.Label), text: clean(r.Text), key: r.Key}
		told := (e.label != "" || e.text != "") && !unremarkable(m, r)
		if i == at.row {
			e.mark, told = string(f.Failure.Kind), true
			if e.label == "" && e.text == "" {
				e.text = operation(m, r.Verb, r.Obj)
			}
		}
		if told {
			out = append(out, e)
		}
	}
	if !at.failed || at.row >= 0 {
		return out
	}
	kind := string(f.Failure.Kind)
	if waits := waiting(m, f.Failure); len(waits) > 0 {
		return append(out, waits...)
	}
	if at.phase == sim.PhaseTeardown {
		return append(out, entry{text: "at the end of the run", mark: kind})
	}
	if len(out) > 0 {
		out[len(out)-1].mark = kind
	}
	return out
}

// spot is where in the rows a run failed.
type spot struct {
	failed bool
	phase  sim.Phase
	// row is the one to mark, -1 if none of them is it.
	row int
	// end is the number of rows that belong to the story.
	end int
}

func locate(rows []sim.Row, f *sim.Failure) spot {
	s := spot{phase: sim.PhaseExplore, row: -1, end: len(rows)}
	i := slices.IndexFunc(rows, func(r sim.Row) bool { return r.Failed })
	if i < 0 || f == nil {
		return s
	}
	s.failed, s.phase = true, rows[i].Phase
	if f.Task == nil {
		return s
	}
	mine := func(j int) bool { return j >= 0 && j < len(rows) && rows[j].Task == f.Task }
	switch {
	case f.Kind.Hangs():
		// About what the tasks wait for, not about what they did last.
	case f.Kind == sim.Warn:
		// A warning counts where it was given; the run went on from there.
		s.row = slices.IndexFunc(rows, func(r sim.Row) bool {
			return r.Task == f.Task && r.Text == "WARN: "+f.Message
		})
	case mine(i+1) && rows[i+1].Event >= 0:
		// The operation itself was refused, and got its row only then.
		s.row, s.end = i+1, i+2
	case mine(i - 1):
		s.row, s.end = i-1, i
	}
	return s
}

// told tells whether rows of a phase belong to the story of a failure in another.
func told(p, failed sim.Phase) bool {
	return p == failed || p == sim.PhaseExplore && failed == sim.PhaseTeardown
}

// unremarkable is a choice that went the usual way.
func unremarkable(m *sim.Machine, r *sim.Row) bool {
	ev := m.Events()
	return r.Event >= 0 && r.Event < len(ev) && ev[r.Event].IsChoice() && ev[r.Event].Value == 0
}

// waiting is where the tasks stand that can never go on, for the kinds of failure
// that are about that.
func waiting(m *sim.Machine, f *sim.Failure) []entry {
	if f == nil || !f.Kind.Hangs() {
		return nil
	}
	var out []entry
	left := 0
	for _, t := range m.Tasks() {
		op, announced := t.Pending()
		if !announced || op.Guard == nil {
			continue
		}
		if len(out) >= maxBlocked && t != f.Task {
			left++
			continue
		}
		e := entry{task: t}
		e.label, e.text = t.PendingLabel()
		e.label, e.text = clean(e.label), clean(e.text)
		if e.text == "" {
			e.text = operation(m, op.Verb, op.Obj)
		}
		e.text += ": blocked"
		out = append(out, e)
	}
	if left > 0 {
		out = append(out, entry{text: "and " + count(left, "task") + " more"})
	}
	if len(out) > 0 {
		out[len(out)-1].mark = string(f.Kind)
	}
	return out
}

func operation(m *sim.Machine, verb string, obj *sim.Object) string {
	if obj == nil {
		return clean(verb)
	}
	return clean(verb + " " + m.ObjectName(obj))
}
