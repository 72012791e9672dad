package explore

import "dmasim/sim"

// Traces tells Mazurkiewicz traces apart: runs that differ only in the order of
// operations that commute are of one trace. It is used again and again to save
// allocations.
type Traces struct {
	last  map[*sim.Task]uint64 // hash of each task's last event and all before it
	first map[int]uint64       // the same by event, for those that created tasks
	objs  map[uint64]history
}

// history is what happened to an object: events come in groups that commute among
// themselves, and happen after the group before.
type history struct {
	class         sim.Class
	group, before uint64
}

// Of is a hash of the trace of the explored phase of the machine's last run. An event is hashed with all that
// happens before it, and the hashes are added up, in no order.
func (tr *Traces) Of(m *sim.Machine) uint64 {
	if tr.last == nil {
		tr.last, tr.first, tr.objs = map[*sim.Task]uint64{}, map[int]uint64{}, map[uint64]history{}
	}
	clear(tr.last)
	clear(tr.first)
	clear(tr.objs)
	for _, t := range m.Tasks() {
		tr.first[t.Born()-1] = 0
	}
	total := uint64(0)
	events := m.Events()
	from, to := m.Explored()
	for i := from; i < to; i++ {
		e := &events[i]
		h := scramble(e.Task.Key() ^ uint64(e.Value)<<32 ^ uint64(len(e.Verb)))
		before, ok := tr.last[e.Task]
		if !ok {
			before = tr.first[e.Task.Born()-1]
		}
		h = scramble(h ^ before)
		if e.Joins != nil {
			h = scramble(h ^ tr.last[e.Joins])
		}
		more := m.Extra(e)
		// The accesses of one event have no order among themselves.
		after := uint64(0)
		if e.Obj != nil {
			after += tr.enter(h, e.Obj, e.Class)
		}
		for _, a := range more {
			after += tr.enter(h, a.Obj, a.Class)
		}
		h = scramble(h ^ after)
		if e.Obj != nil {
			tr.leave(h, e.Obj)
		}
		for _, a := range more {
			tr.leave(h, a.Obj)
		}
		tr.last[e.Task] = h
		if _, creates := tr.first[i]; creates {
			tr.first[i] = h
		}
		total += scramble(h)
	}
	return total
}

// enter is h with what an access to o comes after.
func (tr *Traces) enter(h uint64, o *sim.Object, c sim.Class) uint64 {
	x := tr.objs[o.Key()]
	if c.Conflicts(x.class) {
		x.before, x.group = scramble(x.before^x.group), 0
	}
	x.class = c
	tr.objs[o.Key()] = x
	return scramble(h ^ o.Key() ^ x.before + uint64(c))
}

// leave adds an event to the current group of o.
func (tr *Traces) leave(h uint64, o *sim.Object) {
	x := tr.objs[o.Key()]
	x.group += scramble(h)
	tr.objs[o.Key()] = x
}

func scramble(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}
