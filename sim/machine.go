package sim

import "fmt"

// Phase is the part of a run.
type Phase uint8

const (
	PhaseSetup Phase = iota
	PhaseExplore
	PhaseTeardown
)

// DefaultStepLimit bounds the explored operations of a run.
const DefaultStepLimit = 20_000

// quietFactor bounds the operations outside the explored phase, which nobody
// counts, by a multiple of the step limit.
const quietFactor = 100

// Machine is one deterministic universe. It runs one program at a time, again and
// again, and keeps its coroutines and buffers between runs. It is used by one
// goroutine.
type Machine struct {
	// StepLimit bounds the explored operations of a run; 0 means
	// DefaultStepLimit.
	StepLimit int
	// Value is what the program keeps of its run for those who look at it afterwards.
	Value any
	// Room is memory that the program keeps from run to run, so that it need not be made anew.
	// Nothing that a run does may depend on it.
	Room any

	strategy Strategy
	tracing  bool
	marking  bool // always if tracing

	tasks   []*Task // in order of creation
	live    []*Task // those that have not ended, in order of creation
	enabled []*Task
	pick    *Task
	phase   Phase
	now     int64
	dead    bool
	broken  bool
	// abandoned is set by Point.Abandon.
	abandoned bool
	// autopsy is set while the tasks of a run that hangs are ended.
	autopsy  bool
	hide     map[uint64]bool
	exposed  []uint64
	from, to int // the events of the explored phase

	steps, quiet, choices, branching int
	plainBound                       bool // see NoLivelock

	ops  int // that were granted
	past past

	objects   []*Object
	events    []Event
	touched   []Access
	rows      []Row
	marks     []Mark
	hash      uint64
	switched  []switched
	chosen    []Chosen
	failure   *Failure
	warning   *Failure
	minor     *Failure // see Task.FlagMinor
	minors    int      // that came after it
	audits    []func() *Failure
	draws     []func()
	provided  []provision
	drawing   bool // the first task runs, and no other, see Task.Draw
	point     Point
	order     order
	progress  []progress
	tail      []tailStep // the operations after the first tailFrom, see endless
	tailFrom  int
	tailTasks int // that were there before it
	result    Result
	idle      []*worker
	slab      []Task // room for those that come next
}

// Result is the outcome of a run. It belongs to the machine, and is valid until
// the next run.
type Result struct {
	// Failure is what the run found, nil if nothing.
	Failure *Failure
	// Steps counts the explored operations.
	Steps int
	// Branching counts the explored operations at which more than one task was
	// enabled.
	Branching int
	// Hash is equal for equal sequences of events.
	Hash uint64
	// Abandoned is set if the strategy gave the run up, see Point.Abandon. It says
	// nothing about the program then.
	Abandoned bool

	m *Machine
}

// Schedule names the run: where it departed from the default rule. It is made when it is
// asked for, which most runs never are.
func (r *Result) Schedule() Schedule {
	s := Schedule{Choices: append([]Chosen(nil), r.m.chosen...)}
	for _, w := range r.m.switched {
		s.Switches = append(s.Switches, Switch{Step: w.step, Task: w.task.ID(), Preemption: w.preemption})
	}
	return s
}

// Switches counts the departures from the default rule.
func (r *Result) Switches() int { return len(r.m.switched) }

// switched is a departure from the default rule, as the run keeps it.
type switched struct {
	task       *Task
	step       int
	preemption bool
}

// NewMachine returns a machine with no program. Close it when it is not needed
// any more: its idle coroutines are not garbage.
func NewMachine() *Machine { return &Machine{} }

// Trace turns the keeping of rows for people on or off, from the next run on. It
// changes nothing else: not the schedule and not the hash.
func (m *Machine) Trace(on bool) { m.tracing, m.marking = on, on }

// KeepMarks switches on that runs note the steps of the protocol that tasks come to, see Marks, and nothing else
// of what Trace keeps.
func (m *Machine) KeepMarks(on bool) { m.marking = on }

// Now is the virtual time, in nanoseconds since the start of the run.
func (m *Machine) Now() int64 { return m.now }

// Steps counts the explored operations that were granted so far.
func (m *Machine) Steps() int { return m.steps }

// Ops counts all operations that were granted so far, those on hidden objects and those of
// set-up and tear-down included.
func (m *Machine) Ops() int { return m.ops }

// Phase is the current part of the run.
func (m *Machine) Phase() Phase { return m.phase }

// Events lists the operations granted in the current or last run.
func (m *Machine) Events() []Event { return m.events }

// Explored lists those of Events that were granted in the explored phase: the first one's
// index, and the index after the last.
func (m *Machine) Explored() (from, to int) {
	switch m.phase {
	case PhaseSetup:
		return len(m.events), len(m.events)
	case PhaseExplore:
		return m.from, len(m.events)
	}
	return m.from, m.to
}

// Extra lists the further accesses of an event.
func (m *Machine) Extra(e *Event) []Access { return m.touched[e.touched : e.touched+e.more] }

// Audit registers a check for the normal end of the current run. It runs after the
// last task, and returns nil if it has nothing to complain of.
func (m *Machine) Audit(check func() *Failure) { m.audits = append(m.audits, check) }

// Run executes body once as the first task, under the strategy, and returns what
// came of it. It does not call the strategy's Done.
func (m *Machine) Run(s Strategy, body func(*Task)) *Result {
	if m.broken {
		panic("sim: the machine was closed, or a run was left by runtime.Goexit")
	}
	m.reset(s)
	finished := false
	defer func() {
		if !finished { // the program called t.Fatal or the like
			m.Close()
		}
	}()
	m.pick = m.newTask(nil, "init", Op{Verb: "start"}, body)
	for m.pick != nil {
		t := m.pick
		if t.w == nil {
			t.w = m.worker()
			t.w.task = t
			m.grant(t)
		}
		t.w.next()
		switch {
		case m.failure != nil || m.abandoned:
			m.pick = nil
			if t.done {
				m.retire(t)
			}
		case t.done:
			m.retire(t)
			m.pick = m.next(t)
		}
	}
	if m.failure == nil && !m.abandoned {
		m.audit()
	}
	m.autopsy = m.tracing && m.failure != nil && len(m.failure.hung) > 0
	m.unwindAll()
	if m.autopsy {
		m.autopsy = false
		m.failure.addChains()
	}
	m.release()
	finished = true
	m.result = Result{Failure: m.failure, Steps: m.steps, Branching: m.branching, Hash: m.hash, Abandoned: m.abandoned, m: m}
	return &m.result
}

// Close ends the machine and its coroutines.
func (m *Machine) Close() {
	m.dead, m.broken = true, true
	for _, t := range m.live {
		if t.w != nil {
			t.w.stop()
		}
	}
	for _, w := range m.idle {
		w.stop()
	}
	m.live, m.idle = nil, nil
	m.release()
}

func (m *Machine) reset(s Strategy) {
	m.strategy, m.Value = s, nil
	clear(m.tasks)
	clear(m.objects)
	m.tasks, m.live, m.objects = m.tasks[:0], m.live[:0], m.objects[:0]
	m.events, m.touched, m.rows, m.marks = m.events[:0], m.touched[:0], m.rows[:0], m.marks[:0]
	m.audits, m.exposed = m.audits[:0], m.exposed[:0]
	clear(m.draws)
	m.draws, m.drawing = m.draws[:0], false
	m.phase, m.now, m.dead, m.hash = PhaseSetup, 0, false, 0
	m.steps, m.quiet, m.choices, m.branching, m.ops = 0, 0, 0, 0, 0
	m.switched, m.chosen = m.switched[:0], m.chosen[:0]
	m.failure, m.warning, m.minor, m.minors, m.abandoned = nil, nil, nil, 0, false
	m.point = Point{m: m}
	m.plainBound = false
	m.order.reset()
	clear(m.tail)
	clear(m.progress)
	m.tail, m.progress = m.tail[:0], m.progress[:0]
	if m.StepLimit == 0 {
		m.StepLimit = DefaultStepLimit
	}
	m.tailFrom = max(m.StepLimit/2, m.StepLimit-tailLength)
}

func (m *Machine) newTask(parent *Task, name string, op Op, fn func(*Task)) *Task {
	if len(m.slab) == 0 {
		m.slab = make([]Task, 8)
	}
	t := &m.slab[0]
	m.slab = m.slab[1:]
	t.Name, t.m, t.parent, t.fn, t.op, t.announced = name, m, parent, fn, op, true
	t.index, t.born, t.bornOp, t.key = len(m.tasks), len(m.events), m.ops, 0x5eed
	if parent != nil {
		parent.children++
		t.nth = parent.children
		t.key = mix(parent.key, uint64(t.nth)|1<<40)
	}
	m.tasks = append(m.tasks, t)
	m.live = append(m.live, t)
	return t
}

func (m *Machine) worker() *worker {
	if n := len(m.idle); n > 0 {
		w := m.idle[n-1]
		m.idle = m.idle[:n-1]
		return w
	}
	return newWorker()
}

// retire takes an ended task off the list and its coroutine back.
func (m *Machine) retire(t *Task) {
	for i, u := range m.live {
		if u == t {
			m.live = append(m.live[:i], m.live[i+1:]...)
			break
		}
	}
	if t.w != nil {
		m.idle = append(m.idle, t.w)
		t.w.task, t.w = nil, nil
	}
}

// unwindAll ends the tasks that are left, without their doing anything more.
func (m *Machine) unwindAll() {
	m.dead = true
	for len(m.live) > 0 {
		t := m.live[len(m.live)-1]
		if t.w != nil && !t.done {
			t.w.next()
		}
		m.retire(t)
	}
}

// next decides which task runs after cur has announced an operation or ended. It
// returns nil if the run is over.
func (m *Machine) next(cur *Task) *Task {
	if m.failure != nil {
		return nil
	}
	p := &m.point
	p.Current, p.CurrentEnabled = cur, false
	m.enabled = m.enabled[:0]
	for _, u := range m.live {
		if g := u.op.Guard; g != nil && !g.Ready(u) {
			u.waited = len(m.events) + 1
			continue
		}
		if u.held || u.timer && !u.racing {
			continue
		}
		if m.phase == PhaseExplore && (u.parent == nil) != m.drawing {
			continue
		}
		if u == cur {
			p.CurrentEnabled = true
		}
		m.enabled = append(m.enabled, u)
	}
	if len(m.enabled) == 0 && !m.wake() {
		return nil
	}
	p.Enabled = m.enabled
	if m.phase != PhaseExplore {
		if m.quiet++; m.quiet > m.StepLimit*quietFactor {
			m.fail(&Failure{Kind: Livelock, Message: fmt.Sprintf("%d operations outside the explored phase", m.quiet-1)})
			return nil
		}
		return p.Default()
	}
	if m.steps >= m.StepLimit {
		m.fail(m.endless())
		return nil
	}
	m.steps++
	p.Step = m.steps
	if len(m.enabled) > 1 {
		m.branching++
	}
	t := m.strategy.Next(p)
	if m.abandoned || m.failure != nil {
		return nil
	}
	if t == nil || !t.announced || t.done {
		m.fail(&Failure{Kind: Misuse, Senseless: true, Message: "the strategy picked a task that is not enabled"})
		return nil
	}
	if t != p.Default() {
		m.switched = append(m.switched, switched{t, m.steps, p.CurrentEnabled})
	}
	return t
}

// wake is called when no task is enabled. It ends the explored phase, or fires the
// earliest timer, or finds the deadlock; it reports whether there is now a task
// in m.enabled.
func (m *Machine) wake() bool {
	var first *Task
	blocked := 0
	for _, u := range m.live {
		if u.timer {
			// Of two that are due at once the one that fires first must not depend on
			// the order in which unrelated tasks created them.
			if first == nil || u.deadline < first.deadline || u.deadline == first.deadline && u.key < first.key {
				first = u
			}
		} else if !(u.parent == nil && m.phase == PhaseExplore) {
			blocked++
		}
	}
	if first != nil {
		if first.recovery && blocked > 0 {
			m.fail(m.stalled(first))
			return false
		}
		m.now = max(m.now, first.deadline)
		m.enabled = append(m.enabled, first)
		return true
	}
	if blocked > 0 {
		m.fail(m.deadlock())
		return false
	}
	if m.phase == PhaseExplore {
		m.phase, m.to = PhaseTeardown, len(m.events)
		m.enabled = append(m.enabled, m.tasks[0])
		return true
	}
	return false
}

// grant lets t execute its announced operation: it becomes an event.
func (m *Machine) grant(t *Task) {
	op := &t.op
	m.ops++
	t.passed = false
	t.announced, t.timer = false, false // a timer that has fired is a task like any other
	h := t.key
	if op.Obj != nil {
		h ^= op.Obj.key
		m.use(op.Obj, t)
		if op.Obj.key == 0 {
			m.fail(&Failure{Kind: Misuse, Task: t, Senseless: true, Message: "operation " + op.Verb + " on an object that was never initialised"})
		}
	}
	m.hash = mix(m.hash, h+uint64(op.Class))
	m.events = append(m.events, Event{Task: t, Verb: op.Verb, Obj: op.Obj, Class: op.Class, Blocking: op.Guard != nil, Value: -1, Joins: op.Joins, Enabler: m.enabler(t), Op: int32(m.ops)})
	if m.steps > m.tailFrom && m.phase == PhaseExplore {
		m.watched(t, len(m.events)-1)
	}
	if op.Also != nil {
		t.Touch(op.Also, Read)
	}
	if m.tracing {
		m.trace(t)
	}
}

// enabler is the event after which the guard of t's operation was ready.
func (m *Machine) enabler(t *Task) int32 {
	if t.waited == 0 || t.waited > len(m.events) {
		return -1
	}
	return int32(t.waited) - 1
}

// last is the event that t was granted last, if nothing was granted since.
func (m *Machine) last(t *Task) *Event {
	if m.dead {
		return nil
	}
	for i := len(m.events) - 1; i >= 0; i-- {
		if e := &m.events[i]; e.Task == t && e.Value < 0 {
			return e
		}
	}
	return nil
}

func (m *Machine) audit() {
	for _, check := range m.audits {
		f := m.look(check)
		if f == nil {
			continue
		}
		if m.failure == nil {
			m.fail(f)
		} else {
			m.failure.Detail = append(m.failure.Detail, "also: "+f.Error())
		}
	}
	if m.failure == nil && m.warning != nil {
		m.fail(m.warning)
	}
	if m.failure == nil && m.minor != nil {
		m.fail(m.minor)
	}
}

func (m *Machine) look(check func() *Failure) *Failure {
	defer m.noTask("an audit")
	return check()
}
