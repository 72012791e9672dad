package report

import "dmasim/sim"

// Failure is a failed run as data, for encoding/json.
type Failure struct {
	Kind        sim.Kind `json:"kind"`
	Message     string   `json:"message"`
	Detail      []string `json:"detail,omitempty"`
	Replay      string   `json:"replay"`
	Others      []string `json:"others,omitempty"`
	Preemptions int      `json:"preemptions"`
	Tasks       []Task   `json:"tasks"`
	Trace       []Event  `json:"trace"`
}

// Task names a task of the run.
type Task struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Event is one operation, choice or remark.
type Event struct {
	// Task is the id of the task.
	Task string `json:"task"`
	// Step is the step of the protocol, empty if it has no name.
	Step string `json:"step"`
	// Op and Object are the operation; empty for a remark.
	Op     string `json:"op"`
	Object string `json:"object"`
	Note   string `json:"note"`
}

// NewFailure returns the failure of the input, or nil if there is none. The trace
// is that of the explored phase, and of tear-down or set-up if the run failed there.
func NewFailure(in Input) *Failure {
	f := failure(in)
	if f == nil {
		return nil
	}
	out := &Failure{
		Kind: f.Kind, Message: f.Message, Detail: f.Detail, Replay: in.Replay, Others: in.Others,
		Preemptions: in.Found.Schedule.Preemptions(),
		Tasks:       []Task{}, Trace: []Event{},
	}
	m := in.Found.Machine
	if m == nil {
		return out
	}
	for _, t := range m.Tasks() {
		out.Tasks = append(out.Tasks, Task{t.ID(), t.Name})
	}
	rows := m.Rows()
	at := locate(rows, f)
	names := map[*sim.Object]string{nil: ""}
	for i := range rows[:at.end] {
		r := &rows[i]
		if r.Failed || r.Task == nil || !told(r.Phase, at.phase) {
			continue
		}
		if _, ok := names[r.Obj]; !ok {
			names[r.Obj] = m.ObjectName(r.Obj)
		}
		out.Trace = append(out.Trace, Event{r.Task.ID(), r.Label, r.Verb, names[r.Obj], r.Text})
	}
	return out
}
