package kernel

import (
	"slices"

	"dmasim/sim"
)

// What is queued goes on with whoever comes by, and a reference with it that somebody else has
// taken. What that one did before it came was not needed for the reference to be dropped: if it
// had not come, another one would have.

// handedOver tells whether the task of the part, which drops a reference that it has not taken, had
// it already when it did d: word of one that was taken had reached it, by all that tells of an
// order, and no more of it did until it dropped the reference.
func handedOver(m *sim.Machine, p *part, d *Dep) bool {
	word := map[*sim.Task]int32{} // since that operation
	left := map[*sim.Object][]access{}
	some := false
	heard := func(e *sim.Event, o *sim.Object, c sim.Class) bool {
		return o != nil && slices.ContainsFunc(left[o], func(a access) bool { return a.task != e.Task && c.Conflicts(a.class) })
	}
	events := m.Events()
	for i := range events {
		e := &events[i]
		extra := m.Extra(e)
		hears := heard(e, e.Obj, e.Class)
		for _, x := range extra {
			hears = hears || heard(e, x.Obj, x.Class)
		}
		if hears && e.Task == d.Task && e.Obj != p.ref && e.Op > d.Op && e.Op < p.at {
			return false // it may have come to it here
		}
		takes := e.Obj == p.ref && takes(e.Verb)
		some = some || takes
		if _, knows := word[e.Task]; !knows {
			since, born := word[e.Task.Parent()]
			switch {
			case born && since <= int32(e.Task.BornOp()):
				word[e.Task] = 0
			case hears || takes:
				word[e.Task] = e.Op
			default:
				continue
			}
		}
		left[e.Obj] = append(left[e.Obj], access{e.Task, e.Class})
		for _, x := range extra {
			left[x.Obj] = append(left[x.Obj], access{e.Task, x.Class})
		}
	}
	since, knows := word[d.Task]
	return !some || knows && since <= d.Op // else it is the first reference, which comes with the object
}

// access is one by a task that knows of a reference.
type access struct {
	task  *sim.Task
	class sim.Class
}
