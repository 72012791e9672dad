package kernel

import (
	"fmt"

	"dmasim/sim"
)

// Kernel is the state that all tasks of a run share.
type Kernel struct {
	// SystemWq is system_wq: shared by everybody, and without a rescuer.
	SystemWq *Workqueue

	rcu        rcuState
	memory     []*Mem
	percpuRefs []*PercpuRef

	injection sim.Object     // read and written by allocations at armed sites
	faults    map[string]int // site: which of its allocations fails, from 1
	sites     map[string]int // allocations so far
}

// Boot starts a kernel and returns its first task, which runs the set-up.
func Boot(t *sim.Task) *Task {
	k := &Kernel{faults: map[string]int{}, sites: map[string]int{}}
	k0 := &Task{Task: t, K: k, ctx: InTask}
	t.Own(&k0.twork, "task_work", t.Name+".task_works")
	t.Own(&k.rcu.Object, "rcu", "rcu")
	t.Own(&k.injection, "fault injection", "fault injection")
	k.SystemWq = NewWorkqueue(k0, "events", 0)
	t.Machine().Audit(k.auditMemory)
	t.Machine().Audit(k.auditPercpuRefs)
	return k0
}

// Ctx is the kind of context that code runs in.
type Ctx uint8

const (
	InTask Ctx = iota
	InWorker
	InSoftirq // RCU callbacks run here
	InHardirq
)

var ctxNames = [...]string{"task", "worker", "softirq", "hardirq"}

func (c Ctx) String() string { return ctxNames[c] }

// Task is a simulated task with what the kernel knows of it: what current points
// to.
type Task struct {
	*sim.Task
	K *Kernel

	ctx     Ctx
	rcu     int  // nesting of read sections
	reading bool // the section has begun, see Kernel.rcu
	rcuSeq  int
	held    []string

	works   []func(*Task) // task work
	twork   sim.Object
	target  bool // task work can be added
	exiting bool
}

// Go creates a task in process context.
func (t *Task) Go(name string, fn func(*Task)) *Task {
	n := t.fork(InTask)
	n.Task = t.Task.Go(name, n.body(fn))
	t.Own(&n.twork, "task_work", name+".task_works")
	n.target = true
	return n
}

// Interrupt raises an interrupt: fn runs in hardirq context, at any point from now
// on.
func (t *Task) Interrupt(name string, fn func(*Task)) {
	t.spawn(InHardirq, name, sim.Op{Verb: "irq"}, fn)
}

// Kthread creates a task in the given context whose first operation is op.
func (t *Task) Kthread(name string, op sim.Op, fn func(*Task)) *Task {
	return t.spawn(InWorker, name, op, fn)
}

// Device creates a task that is no code of the kernel at all, but hardware at work,
// and so bound by no context.
func (t *Task) Device(name string, op sim.Op, fn func(*Task)) {
	t.spawn(InTask, name, op, fn)
}

func (t *Task) spawn(c Ctx, name string, op sim.Op, fn func(*Task)) *Task {
	n := t.fork(c)
	n.Task = t.Task.Spawn(name, op, n.body(fn))
	return n
}

// fork makes the kernel's view of a new task. A handler is an RCU reader as long as it
// runs (C-RCU-10).
func (t *Task) fork(c Ctx) *Task {
	n := &Task{K: t.K, ctx: c}
	if c >= InSoftirq {
		n.rcu = 1
	}
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
		if t.rcu > 0 {
			t.Fail(Context, "%s returned inside %d RCU read section(s)", t.Name, t.rcu)
		}
		if len(t.held) > 0 {
			t.Fail(Context, "%s returned with locks held: %v", t.Name, t.held)
		}
	}
}

// Step announces a visible operation; see sim.Task.Step. A read section that was
// opened before begins with it.
func (t *Task) Step(op sim.Op) {
	t.Task.Step(op)
	if t.rcu > 0 && !t.reading {
		t.K.rcu.begin(t)
	}
}

// Await waits until cond holds, as one operation on obj.
func (t *Task) Await(verb string, obj *sim.Object, class sim.Class, cond func() bool) {
	t.Step(sim.Op{Verb: verb, Obj: obj, Class: class, Guard: when(cond)})
}

type when func() bool

func (w when) Ready(*sim.Task) bool { return w() }

// Context returns the context that t runs in.
func (t *Task) Context() Ctx { return t.ctx }

// MightSleep fails the run if t is in a context that may not sleep, even if it
// would not have had to (C-CTX-01). The call and its object are for the message.
func (t *Task) MightSleep(call, object string) {
	if t.ctx < InSoftirq && t.rcu == 0 {
		return
	}
	where := t.ctx.String() + " context"
	if t.ctx < InSoftirq {
		where = "an RCU read section"
	}
	if object != "" {
		call += "(" + object + ")"
	}
	t.Fail(Context, "BUG: sleeping function called from invalid context: %s in %s (%s)", call, where, t.Name)
}

// BUG is the kernel's BUG(): the run ends.
func (t *Task) BUG(format string, args ...any) { t.Fail(sim.Bug, format, args...) }

// Sayf is Say with a format. Arguments must be cheap: they are evaluated whether or
// not anybody reads the trace.
func (t *Task) Sayf(label, format string, args ...any) {
	if t.Tracing() {
		t.Say(label, fmt.Sprintf(format, args...))
	}
}

// Stressf is Stress with a format.
func (t *Task) Stressf(label, format string, args ...any) {
	if t.Tracing() {
		t.Stress(label, fmt.Sprintf(format, args...))
	}
}

// Atf is At with a format.
func (t *Task) Atf(label, format string, args ...any) {
	if t.Tracing() {
		t.At(label, fmt.Sprintf(format, args...))
	}
}

func (t *Task) hold(name string) { t.held = append(t.held, name) }

func (t *Task) release(name string) {
	for i := len(t.held) - 1; i >= 0; i-- {
		if t.held[i] == name {
			t.held = append(t.held[:i], t.held[i+1:]...)
			return
		}
	}
}
