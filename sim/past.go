package sim

// past is room for Machine.Past.
type past struct {
	events []bool
	tasks  []bool
	// objects has for each object the classes in which it is accessed by what is in the past.
	objects []uint8
	births  []birth
}

// birth is an event that created a task.
type birth struct {
	event  int
	parent *Task
}

// Past tells of each event up to the given one whether it had to come before it, as far as the
// order in each task, the creation and the joining of tasks, and conflicting accesses to
// objects tell. The answer is valid until the next call.
func (m *Machine) Past(at int) []bool {
	p := &m.past
	p.events = grown(p.events, at+1)
	p.tasks = grown(p.tasks, len(m.tasks))
	p.objects = grown(p.objects, len(m.objects))
	p.births = p.births[:0]
	p.enter(m.events[at].Task)
	for i := at; i >= 0; i-- {
		for _, b := range p.births {
			if b.event == i {
				p.enter(b.parent)
			}
		}
		e := &m.events[i]
		in := p.tasks[e.Task.index] || e.Obj != nil && p.conflicts(e.Obj, e.Class)
		extra := m.Extra(e)
		for j := 0; j < len(extra) && !in; j++ {
			in = p.conflicts(extra[j].Obj, extra[j].Class)
		}
		if !in {
			continue
		}
		p.events[i] = true
		p.enter(e.Task)
		if e.Joins != nil {
			p.enter(e.Joins)
		}
		if e.Obj != nil {
			p.objects[e.Obj.ordinal] |= bit(e.Class)
		}
		for _, x := range extra {
			p.objects[x.Obj.ordinal] |= bit(x.Class)
		}
	}
	return p.events
}

func (p *past) enter(t *Task) {
	if !p.tasks[t.index] {
		p.tasks[t.index] = true
		if t.parent != nil {
			p.births = append(p.births, birth{t.born - 1, t.parent})
		}
	}
}

// conflicts tells whether an access conflicts with one that is in the past.
func (p *past) conflicts(o *Object, c Class) bool {
	have := p.objects[o.ordinal]
	return have != 0 && (c == Write || c >= 6 || have&^bit(c) != 0)
}

// bit stands for a class in a set. Classes from the seventh on are one, and taken to conflict.
func bit(c Class) uint8 {
	if c < 6 {
		return 1 << c
	}
	return 1 << 6
}

// grown is s with n elements, all of them zero.
func grown[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, 2*n)
	}
	s = s[:n]
	clear(s)
	return s
}
