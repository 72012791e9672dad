package sim

import (
	"fmt"
	"slices"
)

// Kind classifies a failure. The words are a fixed set that scripts may rely on;
// packages above define those that need a kernel or hardware to be understood.
type Kind string

const (
	// Deadlock: no task can take a step, and at least one has not ended.
	Deadlock Kind = "deadlock"
	// LostWakeup: a task waits for something that nobody holds, and no other task is left
	// that could bring it about.
	LostWakeup Kind = "lost-wakeup"
	// Stall: only a timer that exists for recovery could make the run go on.
	Stall Kind = "stall"
	// Livelock: tasks go on and repeat the same steps, to the step bound or to a retry limit,
	// and nobody gets anywhere.
	Livelock Kind = "livelock"
	// Starvation: a task repeats the same steps to the step bound, since others get on.
	Starvation Kind = "starvation"
	// StepBound: the run was longer than its step bound, and repeats nothing.
	StepBound Kind = "step-bound"
	// Bug: the model itself panicked, or called its BUG().
	Bug Kind = "bug"
	// Warn: the model warned and nothing worse happened before the end of the run.
	Warn Kind = "warn"
	// Nondeterminism: the same schedule gave two different runs.
	Nondeterminism Kind = "nondeterminism"
	// NoSchedulingPoints: the program has nothing to explore.
	NoSchedulingPoints Kind = "no-scheduling-points"
	// Misuse: the simulator was used in a way that it cannot give meaning to.
	Misuse Kind = "misuse"
)

// Hangs tells whether the kind says that tasks are blocked for ever.
func (k Kind) Hangs() bool { return k == Deadlock || k == LostWakeup || k == Stall }

// Failure is what a run found.
type Failure struct {
	Kind    Kind
	Message string
	// Task is the task that was running, nil if none was.
	Task *Task
	// ByStrategy is set if the strategy raised it (Point.Fail): then it is about the
	// exploration, and a replay does not show it.
	ByStrategy bool
	// Minor is set if the run went well otherwise, see Task.FlagMinor: an exploration goes on
	// after it, and reports it if it finds nothing worse.
	Minor bool
	// Senseless is set if the program uses the simulator in a way that has no meaning: then it
	// says nothing about what the program models.
	Senseless bool
	// Detail has further lines: the blocked tasks of a deadlock, the stack of a
	// panic.
	Detail []string

	hung []hung
}

func (f *Failure) Error() string { return string(f.Kind) + ": " + f.Message }

// unwind is the private panic that ends a task from inside.
type unwind struct{}

// Fail ends the run with a failure of the given kind. It does not return.
func (t *Task) Fail(kind Kind, format string, args ...any) {
	t.FailWith(kind, nil, format, args...)
}

// FailWith is Fail with lines of detail.
func (t *Task) FailWith(kind Kind, detail []string, format string, args ...any) {
	t.m.fail(&Failure{Kind: kind, Message: fmt.Sprintf(format, args...), Task: t, Detail: detail})
	panic(unwind{})
}

// senseless is Fail for a call that has no meaning.
func (t *Task) senseless(format string, args ...any) {
	t.m.fail(&Failure{Kind: Misuse, Message: fmt.Sprintf(format, args...), Task: t, Senseless: true})
	panic(unwind{})
}

// Warn records a warning. The run goes on; if it finds nothing worse, the first
// warning is its failure.
func (t *Task) Warn(format string, args ...any) { t.Flag(Warn, nil, format, args...) }

// Flag is Warn for a finding of another kind: something that is wrong, and that the run
// survives.
func (t *Task) Flag(kind Kind, detail []string, format string, args ...any) {
	m := t.m
	if m.dead || m.warning != nil && !m.tracing {
		return
	}
	msg := fmt.Sprintf(format, args...)
	if m.warning == nil {
		m.warning = &Failure{Kind: kind, Message: msg, Task: t, Detail: detail}
	}
	if kind == Warn {
		msg = "WARN: " + msg
	}
	t.Stress("", msg)
}

// maxAlso bounds the further findings of FlagMinor that are told with the first.
const maxAlso = 8

// FlagMinor is Flag for what a program is doing wrong in every run, and what must not hide
// that some of them end worse: a rule that it breaks. It is the failure of a run that has no
// other. Further ones with another message are among the details of the first.
func (t *Task) FlagMinor(kind Kind, detail []string, format string, args ...any) {
	m := t.m
	if m.dead {
		return
	}
	msg := fmt.Sprintf(format, args...)
	t.Stress("", msg)
	if m.minor == nil {
		m.minor = &Failure{Kind: kind, Message: msg, Task: t, Detail: detail, Minor: true}
		return
	}
	if m.minor.Message == msg || m.minors >= maxAlso {
		return
	}
	also := "also: " + msg
	if !slices.Contains(m.minor.Detail, also) {
		m.minors++
		m.minor.Detail = append(append(m.minor.Detail, also), detail...)
	}
}

func (m *Machine) fail(f *Failure) {
	if m.failure == nil && !m.dead {
		m.record(f)
	}
}

func (m *Machine) record(f *Failure) {
	m.failure = f
	for _, c := range []byte(f.Kind) { // the outcome belongs to the identity of a run
		if !f.Minor { // but not what is looked for in any run, and can be switched off
			m.hash = mix(m.hash, uint64(c))
		}
	}
	m.flushAll()
	if m.tracing {
		m.rows = append(m.rows, Row{Task: f.Task, Phase: m.phase, Step: m.steps, Failed: true, Event: -1})
	}
}
