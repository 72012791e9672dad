package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"dmasim/sim"
)

// Full writes every row of the trace, one line per operation or remark. Its error
// is that of w.
func Full(w io.Writer, in Input) error {
	return write(w, in, full)
}

var phases = map[sim.Phase]string{
	sim.PhaseSetup:    "set-up:",
	sim.PhaseExplore:  "explored ('>' another task than the default was picked, '!' a running one was preempted):",
	sim.PhaseTeardown: "tear-down:",
}

func full(in Input) []string {
	if in.Found == nil || in.Found.Machine == nil || len(in.Found.Machine.Rows()) == 0 {
		return []string{"there is no trace"}
	}
	m := in.Found.Machine
	rows := m.Rows()
	names := map[*sim.Object]string{}
	name := func(o *sim.Object) string {
		if o == nil {
			return ""
		}
		s, ok := names[o]
		if !ok {
			s = clean(m.ObjectName(o))
			names[o] = s
		}
		return s
	}
	op := func(r *sim.Row) string { return strings.TrimSpace(clean(r.Verb) + " " + name(r.Obj)) }
	task, ops := 0, 0
	for i := range rows {
		task = max(task, width(who(rows[i].Task)))
		ops = max(ops, width(op(&rows[i])))
	}
	task, ops = min(task, 24), min(ops, 40)

	var out []string
	phase := sim.Phase(255)
	for i := range rows {
		r := &rows[i]
		if r.Phase != phase {
			phase = r.Phase
			out = append(out, phases[phase])
		}
		flag := " "
		switch {
		case r.Preempted:
			flag = "!"
		case r.Switched:
			flag = ">"
		}
		step := ""
		if r.Phase == sim.PhaseExplore {
			step = strconv.Itoa(r.Step)
		}
		text := strings.TrimSpace(clean(r.Label) + " " + clean(r.Text))
		if r.Failed {
			text = "<-- failed"
			if f := failure(in); f != nil {
				text = "<-- " + clean(string(f.Kind))
			}
		}
		head := fmt.Sprintf("%6s %s %s  %s  ", step, flag, pad(fit(who(r.Task), task), task), pad(fit(op(r), ops), ops))
		if text == "" {
			out = append(out, strings.TrimRight(fit(head, Width), " "))
			continue
		}
		for j, l := range wrap(text, Width-width(head), 8) {
			if j > 0 {
				head = strings.Repeat(" ", width(head))
			}
			out = append(out, head+l)
		}
	}
	return out
}

func who(t *sim.Task) string {
	if t == nil {
		return ""
	}
	return t.ID() + " " + clean(t.Name)
}
