package simtest

import (
	"fmt"

	"dmasim/sim"
)

// Declared is a strategy that looks at every point whether what an announced operation waits
// for has changed, and if so, whether that was declared: an operation granted since must be in
// conflict with it. Undeclared is the first that was not.
type Declared struct {
	sim.Strategy
	m *sim.Machine

	seen    int // events
	granted map[*sim.Task]int
	ready   map[*sim.Task]readiness

	Undeclared string
}

type readiness struct {
	granted int // operations of the task before it announced this one
	ready   bool
}

// NewDeclared looks over the shoulder of a strategy of the machine.
func NewDeclared(m *sim.Machine, s sim.Strategy) *Declared { return &Declared{Strategy: s, m: m} }

// Next picks as the strategy does.
func (d *Declared) Next(p *sim.Point) *sim.Task {
	events := p.Events()
	if p.Step == 1 || d.seen > len(events) {
		d.seen, d.granted, d.ready = len(events), map[*sim.Task]int{}, map[*sim.Task]readiness{}
	}
	fresh := events[d.seen:]
	d.seen = len(events)
	for i := range fresh {
		d.granted[fresh[i].Task]++
	}
	for _, u := range d.m.Tasks() {
		op, ok := u.Pending()
		if !ok || op.Guard == nil || op.Joins != nil || op.Obj == nil {
			continue
		}
		is := readiness{d.granted[u], op.Guard.Ready(u)}
		was, known := d.ready[u]
		d.ready[u] = is
		if known && was.granted == is.granted && was.ready != is.ready && d.Undeclared == "" && !d.declared(op, fresh) {
			d.Undeclared = fmt.Sprintf("%s of %s, announced by %s: ready %v, since one of:", op.Verb, op.Obj.Name, u, is.ready)
			for i := range fresh {
				d.Undeclared += fmt.Sprintf(" %s by %s;", fresh[i].Verb, fresh[i].Task)
			}
		}
	}
	return d.Strategy.Next(p)
}

// declared tells whether one of the events is in conflict with the operation.
func (d *Declared) declared(op sim.Op, events []sim.Event) bool {
	meets := func(o *sim.Object, c sim.Class) bool {
		return o == op.Obj && c.Conflicts(op.Class) || op.Also != nil && o == op.Also && c.Conflicts(sim.Read)
	}
	for i := range events {
		e := &events[i]
		if e.Obj != nil && meets(e.Obj, e.Class) {
			return true
		}
		for _, a := range d.m.Extra(e) {
			if meets(a.Obj, a.Class) {
				return true
			}
		}
	}
	return false
}
