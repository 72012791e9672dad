package kernel

import (
	"fmt"

	"dmasim/sim"
)

// Task is a simulated task with what the kernel knows of it: what current points
// to.
type Task struct {
	*sim.Task
	K *Kernel

	ctx     Ctx
	cpu     int  // see MoveTo
	preempt int  // nesting of sections that must not be preempted
	bh      int  // nesting of sections without softirqs
	irqsOff bool // on this CPU
	rcu     int  // nesting of read sections
	reading bool // the section has begun, see Kernel.rcu
	rcuSeq  int
	held    []heldLock
	spins   []*Spinlock // of them
	leaving unlocking

	works   []*TaskWork // task work
	twork   sim.Object
	target  bool // task work can be added
	resume  bool // TIF_NOTIFY_RESUME
	exiting bool

	// Plug and BioList are current->plug and current->bio_list: the block layer's.
	Plug    Plug
	BioList any

	alloc  allocState
	asking int   // depth of Asking
	behalf Point // of OnBehalf

	work *item // that t is the worker of: current_wq_worker()

	woken   sim.Object // what can end a wait early; see wake
	pending signals
	asleep  bool // not in TASK_RUNNING, but in state
	drowsy  bool // has said so, and not slept since
	state   State
}

// Go creates a task in process context.
func (t *Task) Go(name string, fn func(*Task)) *Task {
	n := t.fork(InTask)
	n.Task = t.Task.Go(name, n.body(fn))
	t.creates(n.Task, "task")
	t.Own(&n.twork, "task_work", name+".task_works")
	n.target = true
	return n
}

// Interrupt raises an interrupt: fn runs in hardirq context, at any point from now
// on.
func (t *Task) Interrupt(name string, fn func(*Task)) {
	t.spawn(InHardirq, name, sim.Op{Verb: "irq"}, fn)
}

// Softirq raises a softirq: fn runs in softirq context, at any point from now on.
func (t *Task) Softirq(name string, fn func(*Task)) {
	t.spawn(InSoftirq, name, sim.Op{Verb: "softirq"}, fn)
}

// Kthread creates a task in the given context whose first operation is op.
func (t *Task) Kthread(name string, op sim.Op, fn func(*Task)) *Task {
	return t.spawn(InWorker, name, op, fn)
}

// Device creates a task that is no code of the kernel at all, but hardware at work,
// and so bound by no context.
func (t *Task) Device(name string, op sim.Op, fn func(*Task)) {
	t.K.isA(t.spawn(InTask, name, op, fn).Task, "device")
}

func (t *Task) spawn(c Ctx, name string, op sim.Op, fn func(*Task)) *Task {
	n := t.fork(c)
	n.Task = t.Task.Spawn(name, op, n.body(fn))
	t.creates(n.Task, sorts[c])
	return n
}

// fork makes the kernel's view of a new task. A handler is an RCU reader as long as it
// runs (C-RCU-10), and a hard interrupt has interrupts off.
func (t *Task) fork(c Ctx) *Task {
	n := &Task{K: t.K, ctx: c}
	t.leaving.obj = nil
	if c >= InSoftirq {
		n.rcu = 1
	}
	n.irqsOff = c == InHardirq
	return n
}

// body wraps fn with the checks that a debug kernel does when a task or a worker's
// function returns.
func (t *Task) body(fn func(*Task)) func(*sim.Task) {
	return func(*sim.Task) {
		if t.rcu > 0 {
			t.K.rcu.begin(t)
		}
		fn(t)
		for t.target && !t.exiting { // until nothing is left, and nothing can be added
			t.Step(sim.Op{Verb: "exit", Obj: &t.twork})
			t.exiting = len(t.works) == 0
			t.runTaskWork()
		}
		if t.ctx >= InSoftirq {
			t.RCUReadUnlock()
		}
		t.returned()
	}
}

// Plug is what a task holds back, and gives out before it sleeps.
type Plug interface {
	// Schedule is called before each wait, whether the task would sleep or not.
	Schedule(t *Task)
}

// Step announces a visible operation; see sim.Task.Step. A read section that was
// opened before begins with it.
func (t *Task) Step(op sim.Op) {
	if op.Guard != nil && t.Plug != nil {
		t.Plug.Schedule(t)
	}
	t.Task.Step(op)
	if op.Guard != nil && len(t.held) > 0 {
		t.waitedHolding(&op)
	}
	if t.leaving.obj != nil {
		t.left()
	}
	if t.rcu > 0 && !t.reading {
		t.K.rcu.begin(t)
	}
}

// BUG is the kernel's BUG(): the run ends.
func (t *Task) BUG(format string, args ...any) { t.Fail(sim.Bug, format, args...) }

// Sayf is Say with a format. Arguments must be cheap: they are evaluated whether or
// not anybody reads the trace.
func (t *Task) Sayf(label, format string, args ...any) {
	if t.Tracing() {
		t.Say(label, fmt.Sprintf(format, args...))
	} else {
		t.Mark(label)
	}
}

// Stressf is Stress with a format.
func (t *Task) Stressf(label, format string, args ...any) {
	if t.Tracing() {
		t.Stress(label, fmt.Sprintf(format, args...))
	} else {
		t.Mark(label)
	}
}

// Atf is At with a format.
func (t *Task) Atf(label, format string, args ...any) {
	if t.Tracing() {
		t.At(label, fmt.Sprintf(format, args...))
	} else {
		t.Mark(label)
	}
}
