package sim

// Most objects of a run are touched by one task only while it is explored: they need
// no scheduling points. Which ones those are is not known beforehand. So the machine
// notes who touches what, an explorer hides what it found private (Hide), and is told
// when that turns out to be wrong (Exposed). A program whose hidden objects are never
// exposed, in any run of an exploration that is complete otherwise, loses nothing:
// up to the first access by a second task every operation on the object commutes with
// everything that other tasks do, and that access would be seen.
//
// An operation on a hidden object is granted at once and counted as a step, but the
// strategy is not asked, and it is no event. Since the running task going on is what the
// default rule does anyway, a schedule means the same with objects hidden or not. An
// operation that reaches further than its object, to one that is not hidden, is none
// that could be passed: its object counts as exposed, too.

// Hide lists, by their keys, the objects that need no scheduling points from the next
// run on; nil shows all of them.
func (m *Machine) Hide(private map[uint64]bool) { m.hide = private }

// Exposed lists the hidden objects that turned out, in the last run, to need scheduling
// points after all.
func (m *Machine) Exposed() []uint64 { return m.exposed }

// Private adds to out the objects of the last run that exactly one task touched while
// it was explored, and marks those that more than one touched.
func (m *Machine) Private(out map[uint64]bool) {
	for _, o := range m.objects {
		switch {
		case o.shared:
			out[o.key] = false
		case o.user != nil:
			if _, known := out[o.key]; !known {
				out[o.key] = true
			}
		}
	}
}

// use notes that t touches o.
func (m *Machine) use(o *Object, t *Task) {
	if o.user == t || m.phase != PhaseExplore {
		return
	}
	if o.user == nil {
		o.user = t
	} else if !o.shared {
		o.shared = true
		if o.hidden {
			m.exposed = append(m.exposed, o.key)
		}
	}
}

// pass grants an operation on a hidden object without asking the strategy. It reports
// whether it did; a blocked operation is left to the ordinary way.
func (m *Machine) pass(t *Task) bool {
	op := &t.op
	if m.phase != PhaseExplore || op.Guard != nil && !op.Guard.Ready(t) || m.steps >= m.StepLimit {
		return false
	}
	m.steps++
	m.ops++
	m.use(op.Obj, t)
	if op.Also != nil {
		m.use(op.Also, t)
	}
	t.announced, t.passed = false, true
	if m.steps > m.tailFrom {
		m.watched(t, -1)
	}
	m.hash = mix(m.hash, t.key^op.Obj.key+uint64(op.Class))
	if m.tracing {
		m.trace(t)
	}
	return true
}
