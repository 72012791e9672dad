package sim

import (
	"fmt"
	"strconv"
	"strings"
)

// Task is one thread of execution of the program. The methods of a task are
// called by the task itself, while it runs, and by nobody else.
type Task struct {
	// Name is for people: "io_uring", "kworker".
	Name string

	m      *Machine
	parent *Task
	nth    int // as which of the parent's children it was created, from 1
	index  int // in order of creation
	born   int // number of events granted before it was created
	bornOp int // number of operations
	key    uint64
	fn     func(*Task)
	w      *worker

	op        Op
	announced bool // op is waiting to be granted
	held      bool // spawned during set-up, starts with Explore
	done      bool
	timer     bool
	racing    bool
	recovery  bool
	withdrawn bool
	deadline  int64

	children, objects int
	epoch             uint32 // see Stamp
	slot              int32

	label, text string // of the next operation, see At
	labelled    bool

	chain  []string // of calls, of a task that hangs
	passed bool     // the last operation was on a hidden object
	waited int      // the number of events, and 1, when the guard was last found not ready; 0: never
}

// Machine returns the machine that t runs on.
func (t *Task) Machine() *Machine { return t.m }

// Key is the identity of the task: its place in the tree of creation.
func (t *Task) Key() uint64 { return t.key }

// Index is the position of the task in the order of creation in this run.
func (t *Task) Index() int { return t.index }

// Done tells whether the task has ended.
func (t *Task) Done() bool { return t.done }

// Born is the number of events of the run that were granted before t was created;
// the last of them is the one that spawned it.
func (t *Task) Born() int { return t.born }

// BornOp is the number of the operation that created t, as of Event.Op.
func (t *Task) BornOp() int { return t.bornOp }

// Quiet tells whether t is a timer that has not fired and that does so only when
// nothing else can run.
func (t *Task) Quiet() bool { return t.timer && !t.racing }

// Cancelled tells whether t is a timer that was cancelled before it fired, or was withdrawn.
func (t *Task) Cancelled() bool { return t.done && (t.timer || t.withdrawn) }

// Parent is the task that created t, nil for the first one.
func (t *Task) Parent() *Task { return t.parent }

// Pending is the operation that t has announced and that was not granted yet.
func (t *Task) Pending() (op Op, ok bool) { return t.op, t.announced }

// PendingLabel is what At said of the announced operation; both are empty if
// nothing was said, or if labels are not kept.
func (t *Task) PendingLabel() (label, text string) {
	if t.announced && t.labelled {
		return t.label, t.text
	}
	return "", ""
}

// ID names the task by its place in the tree of creation: "0" is the first task,
// "2" its second child, "2.1" the first child of that one.
func (t *Task) ID() string {
	if t.parent == nil {
		return "0"
	}
	if t.parent.parent == nil {
		return strconv.Itoa(t.nth)
	}
	return t.parent.ID() + "." + strconv.Itoa(t.nth)
}

func (t *Task) String() string { return fmt.Sprintf("%s (task %s)", t.Name, t.ID()) }

// Place is a point of a run: who was running, and after how many explored operations.
type Place struct {
	Task *Task
	Step int
}

// Place is where t is now.
func (t *Task) Place() Place { return Place{t, t.m.steps} }

func (p Place) String() string {
	if p.Task == nil {
		return "nowhere"
	}
	if p.Step == 0 {
		return "by " + p.Task.String() + " during set-up"
	}
	return fmt.Sprintf("by %s at step %d", p.Task, p.Step)
}

// Go creates a task that is ready to run fn. Created by the first task before
// Explore, it waits for Explore.
func (t *Task) Go(name string, fn func(*Task)) *Task {
	n := t.Spawn(name, Op{Verb: "start"}, fn)
	n.held = t.m.phase == PhaseSetup && t.parent == nil
	return n
}

// Spawn creates a task whose first operation is op: a work item that is due, an
// interrupt that is raised, a callback that waits for its guard. It starts in
// every phase.
func (t *Task) Spawn(name string, op Op, fn func(*Task)) *Task {
	m := t.m
	if m.dead {
		panic(unwind{})
	}
	n := m.newTask(t, name, op, fn)
	t.noteTask(forks, n)
	return n
}

// Withdraw ends a task that was spawned and whose first operation was not granted yet: a
// work item that is cancelled. It tells whether it did so. It is part of the operation that
// by was granted last, which has to be in conflict with the task's first one.
func (t *Task) Withdraw(by *Task) bool {
	if t.done || !t.announced || t.w != nil || by.m.dead {
		return false
	}
	t.announced, t.done, t.withdrawn = false, true, true
	if t.op.Obj != nil { // what did not come to be would have touched it
		t.m.use(t.op.Obj, t)
	}
	t.m.retire(t)
	return true
}

// Join waits until all of the given tasks have ended.
func (t *Task) Join(tasks ...*Task) {
	for _, n := range tasks {
		t.Step(Op{Verb: "join", Joins: n, Guard: (*ended)(n)})
		t.noteTask(joins, n)
	}
}

// ended is ready when the task has ended.
type ended Task

func (e *ended) Ready(*Task) bool     { return e.done }
func (e *ended) Owners(*Task) []*Task { return []*Task{(*Task)(e)} }

// Step announces op and returns when it has been granted. What the caller does
// between this return and its next Step happens atomically with the operation.
func (t *Task) Step(op Op) {
	m := t.m
	if m.pick != t || m.dead {
		t.stray(op.call())
	}
	t.op, t.announced, t.waited = op, true, 0
	if op.Obj != nil && op.Obj.hidden && (op.Also == nil || op.Also.hidden) && m.pass(t) {
		return
	}
	if m.pick = m.next(t); m.pick != t {
		t.switchOut()
	}
	m.grant(t)
}

// switchOut gives control to the machine until t is picked.
func (t *Task) switchOut() {
	if !t.w.yield(struct{}{}) || t.m.dead {
		if t.m.autopsy {
			t.chain = CallChain()
		}
		panic(unwind{})
	}
}

// Did corrects the class of the operation that was just granted, once it is known
// what it turned out to be.
func (t *Task) Did(c Class) {
	m := t.m
	if t.op.Class == c || m.dead {
		return
	}
	t.op.Class = c
	m.hash = mix(m.hash, uint64(c)+7)
	if e := m.last(t); e != nil && e.Obj == t.op.Obj { // else it is on a hidden object
		e.Class = c
	}
}

// Touch adds an access to the operation that was just granted, for operations
// that reach more than one object.
func (t *Task) Touch(o *Object, c Class) {
	m := t.m
	e := m.last(t)
	if e == nil {
		return
	}
	if e.more == 0 {
		e.touched = int32(len(m.touched))
	}
	m.use(o, t)
	m.hash = mix(m.hash, o.key^uint64(c))
	if !o.hidden {
		if t.passed && m.phase == PhaseExplore {
			m.exposed = append(m.exposed, t.op.Obj.key)
		}
		m.touched = append(m.touched, Access{o, c})
		e.more++
	}
}

// Choose returns a value in [0,n). In an explored phase the strategy picks it,
// and every value is explored; elsewhere it is 0.
func (t *Task) Choose(n int, what string) int {
	m := t.m
	if m.pick != t || m.dead {
		t.stray("the choice of " + what)
	}
	if n < 1 {
		t.senseless("Choose(%d, %q): there must be at least one value to choose from", n, what)
	}
	v := 0
	if m.phase == PhaseExplore && n > 1 {
		v = m.strategy.Choose(t, n)
		if v < 0 || v >= n {
			t.senseless("the strategy chose %d of %d values of %q", v, n, what)
		}
		if v != 0 {
			m.chosen = append(m.chosen, Chosen{m.choices, v})
		}
		m.choices++
	}
	m.events = append(m.events, Event{Task: t, Verb: what, Value: int32(v), Enabler: -1, Op: int32(m.ops)})
	m.hash = mix(m.hash, t.key^uint64(v)<<8^0xc4)
	if m.tracing {
		t.flush()
		m.rows = append(m.rows, Row{Task: t, Phase: m.phase, Step: m.steps, Verb: "choose",
			Text: what + " = " + strconv.Itoa(v), Event: len(m.events) - 1})
	}
	return v
}

// Draw has draw called when Explore begins, as an operation of its own before any task
// starts. It is for what is random about the set-up: what draw chooses is explored. It
// makes no operation. Only the first task may call it.
func (t *Task) Draw(draw func()) {
	if t.parent != nil || t.m.phase != PhaseSetup || t.m.pick != t {
		t.senseless("Draw is called by the first task, before Explore")
	}
	t.m.draws = append(t.m.draws, draw)
}

// Explore runs the tasks that were created so far, and all that they create, under
// the strategy, and returns when all of them have ended. Only the first task may
// call it, once.
func (t *Task) Explore() {
	m := t.m
	if t.parent != nil || m.phase != PhaseSetup || m.pick != t {
		t.senseless("Explore is called once, by the first task")
	}
	m.phase, m.from = PhaseExplore, len(m.events)
	if len(m.draws) > 0 {
		m.drawing = true
		t.Step(Op{Verb: "draw"})
		for _, draw := range m.draws {
			draw()
		}
		m.drawing = false
	}
	for _, u := range m.live {
		if u.held {
			u.held = false
			t.noteTask(forks, u)
		}
	}
	t.op, t.announced = Op{Verb: "teardown"}, true
	if m.pick = m.next(t); m.pick != t {
		t.switchOut()
	}
	m.grant(t)
	if m.order.on {
		t.add(joinsAll, int32(len(m.tasks)))
	}
}

// At labels the operation that t announces next with a step of the protocol and a
// text, for the trace. The label appears where the operation is granted, not
// where it is announced.
func (t *Task) At(label, text string) {
	if t.Mark(label); t.Tracing() {
		t.flush()
		t.label, t.text, t.labelled = label, text, true
	}
}

// Say puts a step of the protocol and a text into the trace here and now.
func (t *Task) Say(label, text string) {
	if t.Mark(label); t.Tracing() {
		t.flush()
		t.m.rows = append(t.m.rows, Row{Task: t, Phase: t.m.phase, Step: t.m.steps, Label: label, Text: text, Event: -1})
	}
}

// Stress is Say for what a reader must not miss: what explains a failure that comes
// much later. A report shows it even where it leaves others out.
func (t *Task) Stress(label, text string) {
	if t.Say(label, text); t.Tracing() {
		t.m.rows[len(t.m.rows)-1].Key = true
	}
}

// Tracing tells whether labels are kept, so that costly texts need not be made
// when nobody reads them.
func (t *Task) Tracing() bool { return t.m.tracing && !t.m.dead }

// flush puts a label into the trace that no operation has taken.
func (t *Task) flush() {
	if t.labelled {
		t.labelled = false
		if !t.m.dead {
			t.m.rows = append(t.m.rows, Row{Task: t, Phase: t.m.phase, Step: t.m.steps, Label: t.label, Text: t.text, Event: -1})
		}
	}
}

// validID tells whether s has the form of a task's ID.
func validID(s string) bool {
	for _, p := range strings.Split(s, ".") {
		if n, err := strconv.Atoi(p); err != nil || n < 0 || p != strconv.Itoa(n) {
			return false
		}
	}
	return true
}
