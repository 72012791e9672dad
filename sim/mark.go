package sim

// Mark is a step of the protocol that a task came to.
type Mark struct {
	Task  *Task
	Label string
	// Events is how many operations had been granted by then: the next one of the task belongs
	// to the step.
	Events int
}

// Mark notes that t has come to a step of the protocol of which a reader of a trace need
// not be told. At and Say note theirs, too. It costs nothing unless somebody keeps marks.
func (t *Task) Mark(label string) {
	if t.m.marking && !t.m.dead {
		t.mark(label)
	}
}

func (t *Task) mark(label string) {
	if label != "" {
		t.m.marks = append(t.m.marks, Mark{t, label, len(t.m.events)})
	}
}

// Marks lists the steps that the tasks of the last run came to, if that was on, or tracing.
func (m *Machine) Marks() []Mark { return m.marks }
