package sim

import "fmt"

// stray is the panic of a call with the handle of a task that is not the one that runs.
type stray struct {
	handle *Task
	call   string
}

func (s stray) Error() string { return s.told("") }

func (s stray) told(whose string) string {
	return fmt.Sprintf("%s with the handle of %s%s, which %s", s.call, whose, s.handle, s.handle.whereabouts())
}

// stray ends what runs, for it announced something with the handle t of another task, which has
// no meaning. The tasks of a run that is over are unwound.
func (t *Task) stray(call string) {
	m := t.m
	if m.dead && len(m.live) > 0 {
		panic(unwind{})
	}
	s := stray{t, call}
	if m.pick != nil { // now, before anything that the running task has deferred
		m.strayed(m.pick.String(), m.pick, s)
	}
	panic(s)
}

// strayed fails the run in which a task or something else used the handle of another task.
func (m *Machine) strayed(who string, t *Task, s stray) {
	whose := ""
	if s.handle.m != m {
		whose = "another machine's "
	}
	if m.failure == nil {
		m.record(&Failure{Kind: Misuse, Task: t, Senseless: true, Message: fmt.Sprintf(
			"%s announced %s; a task announces with the handle that its own function was given, and nothing else does", who, s.told(whose))})
	}
}

// noTask is deferred by what runs for a run and is no task of it.
func (m *Machine) noTask(who string) {
	switch r := recover().(type) {
	case nil, unwind:
	case stray:
		m.strayed(who, nil, r)
	default:
		panic(r)
	}
}

// whereabouts says why a task does not run.
func (t *Task) whereabouts() string {
	switch {
	case t.done:
		return "has ended"
	case t.w == nil:
		return "has not begun"
	}
	return "waits in " + t.op.call()
}

// call is the operation in words.
func (op *Op) call() string {
	if op.Obj == nil || op.Obj.Name == "" {
		return fmt.Sprintf("%q", op.Verb)
	}
	return fmt.Sprintf("%q of %s", op.Verb, op.Obj.Name)
}
