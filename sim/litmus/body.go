package litmus

import (
	"fmt"

	"dmasim/sim"
)

// Body returns the program as the first task of a run. It can be run any number of
// times, on one machine; Final tells how the last of them ended.
//
// A task of the program begins with its first operation, not with an event for its
// start: the interleavings are those of the cells and of nothing else.
func (p *Program) Body() func(*sim.Task) {
	p.last = newMemory(p)
	return p.last.run
}

// Final returns the state in which the last run of the last Body ended; ok is false
// if that run had no end of its own.
func (p *Program) Final() (s State, ok bool) {
	if p.last == nil || !p.last.ended {
		return State{}, false
	}
	return p.last.state(), true
}

// memory is a program made ready to run, and its state. It is the same in every run:
// short runs would spend most of their time on making it.
type memory struct {
	names     map[string]int // of variables and mutexes
	initial   []int64
	variables []variable
	mutexes   []mutex
	tasks     []*task
	keys      []string
	places    []*int64 // what the keys name
	ended     bool
}

type variable struct {
	sim.Object
	name  string
	value int64
}

// mutex is its own guard.
type mutex struct {
	sim.Object
	name   string
	holder *task
	owner  [1]*sim.Task
}

func (m *mutex) Ready(*sim.Task) bool { return m.holder == nil }

func (m *mutex) Owners(*sim.Task) []*sim.Task {
	if m.holder == nil {
		return nil
	}
	return m.owner[:]
}

// task is a column of the program.
type task struct {
	number    int
	name      string
	registers []int64
	code      []instruction
	first     int // instruction that is an event; len(code) if there is none
	body      func(*sim.Task)
}

// instruction is an operation with its names resolved.
type instruction struct {
	Op
	variable *variable
	mutex    *mutex
	register *int64
	args     []sum
}

type sum struct {
	constant   int64
	plus, less []*int64
}

func (s *sum) value() int64 {
	v := s.constant
	for _, r := range s.plus {
		v += *r
	}
	for _, r := range s.less {
		v -= *r
	}
	return v
}

func newMemory(p *Program) *memory {
	vars, mutexes := p.Variables(), p.Mutexes()
	mem := &memory{names: map[string]int{}, keys: p.Keys(), initial: make([]int64, len(vars)),
		variables: make([]variable, len(vars)), mutexes: make([]mutex, len(mutexes))}
	byKey := map[string]*int64{}
	for i, name := range vars {
		mem.names[name] = i
		mem.variables[i].name = name
		byKey[name] = &mem.variables[i].value
	}
	for i, name := range mutexes {
		mem.names[name] = i
		mem.mutexes[i].name = name
	}
	for _, in := range p.Initial {
		mem.initial[mem.names[in.Name]] = in.Value
	}
	for i, ops := range p.Tasks {
		mem.tasks = append(mem.tasks, mem.newTask(i, ops, byKey))
	}
	for _, k := range mem.keys {
		mem.places = append(mem.places, byKey[k])
	}
	return mem
}

func (mem *memory) newTask(number int, ops []Op, byKey map[string]*int64) *task {
	t := &task{number: number, name: fmt.Sprintf("task %d", number), first: len(ops)}
	numbers := map[int64]int{}
	slot := func(n int64) {
		if _, ok := numbers[n]; !ok {
			numbers[n] = len(numbers)
		}
	}
	for _, o := range ops {
		slot(int64(o.Register))
		for _, a := range o.Args {
			for _, term := range a {
				if term.IsRegister {
					slot(term.N)
				}
			}
		}
	}
	t.registers = make([]int64, len(numbers))
	for i, o := range ops {
		in := instruction{Op: o, register: &t.registers[numbers[int64(o.Register)]]}
		switch {
		case o.onMutex():
			in.mutex = &mem.mutexes[mem.names[o.Name]]
		case o.Kind != Compute:
			in.variable = &mem.variables[mem.names[o.Name]]
		}
		if o.Kind != Compute {
			t.first = min(t.first, i)
		}
		if o.assigns() {
			byKey[registerKey(number, o.Register)] = in.register
		}
		for _, a := range o.Args {
			var s sum
			for _, term := range a {
				switch {
				case !term.IsRegister:
					s.constant += term.N
				case term.Negated:
					s.less = append(s.less, &t.registers[numbers[term.N]])
				default:
					s.plus = append(s.plus, &t.registers[numbers[term.N]])
				}
			}
			in.args = append(in.args, s)
		}
		t.code = append(t.code, in)
	}
	t.body = t.run
	return t
}

func (mem *memory) run(st *sim.Task) {
	mem.ended = false
	for i := range mem.variables {
		x := &mem.variables[i]
		st.Own(&x.Object, "variable", x.name)
		x.value = mem.initial[i]
	}
	for i := range mem.mutexes {
		m := &mem.mutexes[i]
		st.Own(&m.Object, "mutex", m.name)
		m.holder = nil
	}
	for _, t := range mem.tasks {
		clear(t.registers)
		op := sim.Op{Verb: "start"} // of a task without events
		if t.first < len(t.code) {
			op = t.code[t.first].announce(t)
		}
		st.Spawn(t.name, op, t.body)
	}
	st.Explore()
	mem.ended = true
}

func (mem *memory) state() State {
	s := State{Keys: mem.keys, Values: make([]int64, len(mem.places))}
	for i, v := range mem.places {
		s.Values[i] = *v
	}
	return s
}

func (t *task) run(st *sim.Task) {
	for i := range t.code {
		in := &t.code[i]
		if in.Kind != Compute && i != t.first {
			st.Step(in.announce(t))
		}
		in.do(st, t)
	}
}

// ClassNow foresees whether a compare-and-swap or a trylock succeeds: if not, it reads.
func (in *instruction) ClassNow(*sim.Task) sim.Class {
	fails := in.mutex != nil && in.mutex.holder != nil
	if in.Kind == CompareAndSwap {
		fails = in.variable.value != in.args[0].value()
	}
	if fails {
		return sim.Read
	}
	return sim.Write
}

// announce returns the operation as the machine sees it.
func (in *instruction) announce(t *task) sim.Op {
	op := sim.Op{Verb: in.Kind.String()}
	if in.Kind == CompareAndSwap || in.Kind == TryLock {
		op.Foresee = in
	}
	if in.mutex == nil {
		op.Obj = &in.variable.Object
		if in.Kind == Read {
			op.Class = sim.Read
		}
		return op
	}
	op.Obj = &in.mutex.Object
	switch in.Kind {
	case Lock:
		op.Guard = in.mutex
	case Unlock:
		// The promise can be made by the holder alone, and it stays true: nobody
		// else can take the mutex from it.
		op.Releases = in.mutex.holder == t
	}
	return op
}

// do has the effect of the operation, which was granted.
func (in *instruction) do(st *sim.Task, t *task) {
	switch in.Kind {
	case Write:
		in.variable.value = in.args[0].value()
	case Read:
		*in.register = in.variable.value
	case Compute:
		*in.register = in.args[0].value()
	case FetchAdd:
		old := in.variable.value
		in.variable.value += in.args[0].value()
		*in.register = old
	case CompareAndSwap:
		old := in.variable.value
		if old == in.args[0].value() {
			in.variable.value = in.args[1].value()
		} else {
			st.Did(sim.Read)
		}
		*in.register = old
	case Lock:
		in.mutex.take(st, t)
	case TryLock:
		*in.register = 0
		if in.mutex.holder != nil {
			st.Did(sim.Read)
			return
		}
		in.mutex.take(st, t)
		*in.register = 1
	case Unlock:
		if h := in.mutex.holder; h == nil {
			st.Fail(sim.Misuse, "%s unlocks %s, which nobody holds", t.name, in.mutex.name)
		} else if h != t {
			st.Fail(sim.Misuse, "%s unlocks %s, which %s holds", t.name, in.mutex.name, h.name)
		}
		in.mutex.holder = nil
	}
}

func (m *mutex) take(st *sim.Task, t *task) {
	m.holder, m.owner[0] = t, st
}
