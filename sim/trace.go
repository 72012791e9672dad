package sim

import "fmt"

// Row is one line of a trace for people: an operation that was granted, a remark,
// or the spot where the run failed.
type Row struct {
	Task  *Task
	Phase Phase
	// Step is the number of the scheduling point, 0 during set-up.
	Step int
	// Label is the step of the protocol: "CREATE-7".
	Label string
	// Verb and Obj are the operation; empty for a remark.
	Verb string
	Obj  *Object
	// Text explains.
	Text string
	// Switched is set if the task was picked against the default rule, and
	// Preempted if the task that ran before it could have gone on.
	Switched, Preempted bool
	// Key is set if the row explains what comes later, see Task.Stress.
	Key bool
	// Failed marks the spot where the run failed.
	Failed bool
	// Event is the index of the event, -1 for a remark.
	Event int
}

// Rows lists the trace of the last run, if tracing was on.
func (m *Machine) Rows() []Row { return m.rows }

func (m *Machine) trace(t *Task) {
	r := Row{Task: t, Phase: m.phase, Step: m.steps, Verb: t.op.Verb, Obj: t.op.Obj, Event: len(m.events) - 1}
	if t.labelled {
		r.Label, r.Text, t.labelled = t.label, t.text, false
	}
	if n := len(m.switched); n > 0 && m.switched[n-1].step == m.steps && m.phase == PhaseExplore {
		r.Switched, r.Preempted = true, m.switched[n-1].preemption
	}
	m.rows = append(m.rows, r)
}

// flushAll puts the labels into the trace of tasks whose next operation will not
// be granted, for a report of where they stood.
func (m *Machine) flushAll() {
	if !m.tracing {
		return
	}
	for _, t := range m.live {
		if !t.announced {
			t.flush()
		}
	}
}

// ObjectName names an object for people; objects that share a name are numbered.
func (m *Machine) ObjectName(o *Object) string {
	n, same := 0, 0
	for _, p := range m.objects {
		if p.Type == o.Type && p.Name == o.Name {
			same++
			if p.ordinal <= o.ordinal {
				n++
			}
		}
	}
	name := o.Name
	if name == "" {
		name = o.Type
	}
	if same > 1 {
		return fmt.Sprintf("%s#%d", name, n)
	}
	return name
}

// Tasks lists the tasks of the last run, in order of creation.
func (m *Machine) Tasks() []*Task { return m.tasks }
