package explore

import "dmasim/sim"

// boundedOp is what an operation does to others, whether it was granted or not.
type boundedOp struct {
	task int32
	// touches has what it accesses, and joins is the task whose end it waits for, -1
	// if there is none.
	touches []access
	joins   int32
}

func (a *boundedOp) conflicts(b *boundedOp) bool {
	for _, x := range a.touches {
		for _, y := range b.touches {
			if x.obj == y.obj && x.class.Conflicts(y.class) {
				return true
			}
		}
	}
	return false
}

// analyse puts the new events of a complete run into the happens-before order, and
// requests what their races, and those of the operations that were not granted, call
// for.
func (d *BoundedDPOR) analyse() {
	d.last = d.last[:0]
	for range d.byID {
		d.last = append(d.last, -1)
	}
	events := d.m.Events()
	for k := range d.path {
		n := &d.path[k]
		if k >= d.fixed-1 {
			d.observe(n, &events[n.raw])
			d.order(k)
			d.races(k, &n.boundedOp)
		}
		d.last[n.task] = int32(k)
	}
	for i, t := range d.m.Tasks() {
		id := d.names.known(i)
		op, waits := t.Pending()
		// A timer that was cancelled waits no more, but could have fired.
		if cancelled := d.last[id] < 0; t.Parent() == nil || !waits && !cancelled {
			continue
		}
		o := boundedOp{task: id, joins: -1}
		if op.Obj != nil {
			o.touches = []access{{d.names.object(op.Obj.Key()), op.Class}}
		}
		if op.Also != nil {
			o.touches = append(o.touches, access{d.names.object(op.Also.Key()), sim.Read})
		}
		d.races(len(d.path), &o)
	}
}

// observe takes down what an event turned out to be.
func (d *BoundedDPOR) observe(n *boundedNode, e *sim.Event) {
	n.touches, n.joins = n.touches[:0], -1
	if e.Obj != nil {
		n.touches = append(n.touches, access{d.names.object(e.Obj.Key()), e.Class})
	}
	for _, a := range d.m.Extra(e) {
		n.touches = append(n.touches, access{d.names.object(a.Obj.Key()), a.Class})
	}
	if e.Joins != nil {
		n.joins = d.names.known(e.Joins.Index())
	}
}

// before is the event that has to happen before a task's next one in any case: its last
// one, or the one that created it, -1 if there is none.
func (d *BoundedDPOR) before(task int32) int32 {
	if e := d.last[task]; e >= 0 {
		return e
	}
	return d.cause[task]
}

// order computes the clock of event k.
func (d *BoundedDPOR) order(k int) {
	n := &d.path[k]
	n.clock = append(n.clock[:0], make([]int32, len(d.byID))...)
	join := func(e int32) {
		if e >= 0 {
			for t, x := range d.path[e].clock {
				n.clock[t] = max(n.clock[t], x)
			}
		}
	}
	join(d.before(n.task))
	if n.joins >= 0 {
		join(d.last[n.joins])
	}
	for i := range k {
		if e := &d.path[i]; e.conflicts(&n.boundedOp) {
			join(int32(i))
		}
	}
	n.clock[n.task] = int32(k) + 1
}

// races requests op to be tried before every one of the first k events that it
// conflicts with, unless that happens before what the task of op did last.
func (d *BoundedDPOR) races(k int, op *boundedOp) {
	var past []int32
	if e := d.before(op.task); e >= 0 {
		past = d.path[e].clock
	}
	for i := range int32(k) {
		e := &d.path[i]
		if e.task == op.task || int(e.task) < len(past) && i < past[e.task] {
			continue
		}
		if !e.conflicts(op) && !(op.joins == e.task && d.last[e.task] == i) {
			continue
		}
		e.request(op.task)
		j := i // where the block of e begins
		for j > 0 && d.path[j-1].task == e.task {
			j--
		}
		d.path[j].request(op.task)
	}
}
