package simtest

import "dmasim/sim"

// Order runs the tasks of the first name to their end, then those of the next, then the
// rest by the default rule.
type Order []string

// Next is the first task of the earliest name.
func (o Order) Next(p *sim.Point) *sim.Task {
	for _, name := range o {
		for _, u := range p.Enabled {
			if u.Name == name {
				return u
			}
		}
	}
	return p.Default()
}

// Choose takes the first of what a task can choose from.
func (Order) Choose(*sim.Task, int) int { return 0 }

// Done ends with the first run: there is one such order.
func (Order) Done(*sim.Result) bool { return false }

// Overlap tells whether two tasks of the last run touched the same object, and whether
// they did so in conflict.
func Overlap(m *sim.Machine, one, other string) (shared, conflict bool) {
	others := Accesses(m, other)
	for _, x := range Accesses(m, one) {
		for _, y := range others {
			if x.Obj == y.Obj {
				shared = true
				conflict = conflict || x.Class.Conflicts(y.Class)
			}
		}
	}
	return shared, conflict
}

// Accesses are what the tasks of a name touched in the last run.
func Accesses(m *sim.Machine, name string) (out []sim.Access) {
	for i := range m.Events() {
		e := &m.Events()[i]
		if e.Task.Name != name {
			continue
		}
		if e.Obj != nil {
			out = append(out, sim.Access{Obj: e.Obj, Class: e.Class})
		}
		out = append(out, m.Extra(e)...)
	}
	return out
}
