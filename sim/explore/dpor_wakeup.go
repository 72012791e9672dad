package explore

import (
	"slices"

	"dmasim/sim"
)

// step is what a task did next, or would do next, at some state: the objects that
// it touches and the values of its choices.
type step struct {
	task int32
	// obj is the number of its object, -1 if it touches none.
	obj   int32
	class sim.Class
	// more has the accesses beyond the first, nil mostly.
	more []access
	// picks is its label. In a step that was not run yet it may be the beginning
	// of one only.
	picks []pick
}

type access struct {
	obj   int32
	class sim.Class
}

// pick is the value of a choice, and of how many.
type pick struct{ value, of int32 }

func (s *step) clone() step {
	c := *s
	c.more, c.picks = nil, nil
	if len(s.more) > 0 {
		c.more = slices.Clone(s.more)
	}
	if len(s.picks) > 0 {
		c.picks = slices.Clone(s.picks)
	}
	return c
}

// conflicts tells whether two steps of different tasks do not commute.
func (s *step) conflicts(t *step) bool {
	if s.obj == t.obj && s.obj >= 0 && s.class.Conflicts(t.class) {
		return true
	}
	if len(s.more) == 0 && len(t.more) == 0 {
		return false
	}
	if s.obj >= 0 && touches(t.more, s.obj, s.class) || t.obj >= 0 && touches(s.more, t.obj, t.class) {
		return true
	}
	for _, a := range s.more {
		if touches(t.more, a.obj, a.class) {
			return true
		}
	}
	return false
}

func touches(list []access, obj int32, class sim.Class) bool {
	for _, a := range list {
		if a.obj == obj && a.class.Conflicts(class) {
			return true
		}
	}
	return false
}

// agree tells whether one label is the beginning of the other.
func agree(a, b []pick) bool {
	for i := range min(len(a), len(b)) {
		if a[i].value != b[i].value {
			return false
		}
	}
	return true
}

// covered tells whether every label of the task that begins with prefix sleeps.
func covered(sleep []step, task int32, prefix []pick) bool {
	of := int32(0)
	for i := range sleep {
		z := &sleep[i]
		if z.task != task || !agree(z.picks, prefix) {
			continue
		}
		if len(z.picks) <= len(prefix) {
			return true
		}
		of = z.picks[len(prefix)].of
	}
	if of == 0 {
		return false
	}
	next := append(slices.Clone(prefix), pick{0, of})
	for v := range of {
		next[len(prefix)].value = v
		if !covered(sleep, task, next) {
			return false
		}
	}
	return true
}

// weakInitial tells whether z could be the first step of an execution that does v
// (JACM 2017, definition 4.1). If z is one of the steps of v, at is its index,
// otherwise it commutes with all of them and at is -1.
func weakInitial(z *step, v []*step) (at int, ok bool) {
	for i, s := range v {
		if s.task == z.task {
			return i, agree(s.picks, z.picks)
		}
		if z.conflicts(s) {
			return -1, false
		}
	}
	return -1, true
}

// asleep tells whether a sleeping step could begin v: then v was explored. A step
// with a label that does not occur in v covers v only together with all the other
// labels of its task, since v may go on with any of them.
func asleep(sleep []step, v []*step) bool {
	for i := range sleep {
		z := &sleep[i]
		at, ok := weakInitial(z, v)
		if !ok {
			continue
		}
		if at >= 0 || len(z.picks) == 0 {
			return true
		}
		var labels []step
		for k := range sleep {
			if sleep[k].task != z.task {
				continue
			}
			if _, ok := weakInitial(&sleep[k], v); ok {
				labels = append(labels, sleep[k])
			}
		}
		if covered(labels, z.task, nil) {
			return true
		}
	}
	return false
}

// same tells whether two steps touch the same objects in the same way.
func (s *step) same(t *step) bool {
	return s.obj == t.obj && s.class == t.class && slices.Equal(s.more, t.more)
}

// within tells whether whatever conflicts with s conflicts with t.
func (s *step) within(t *step) bool {
	ok := func(obj int32, class sim.Class) bool {
		if obj < 0 || obj == t.obj && (t.class == class || t.class == sim.Write) {
			return true
		}
		for _, a := range t.more {
			if a.obj == obj && (a.class == class || a.class == sim.Write) {
				return true
			}
		}
		return false
	}
	for _, a := range s.more {
		if !ok(a.obj, a.class) {
			return false
		}
	}
	return ok(s.obj, s.class)
}

// waking is a node of a wakeup tree: a step to take, and what to do after it. A
// leaf leaves the rest to the search.
type waking struct {
	step
	kids []*waking
	// doubt is set for a leaf that may turn out otherwise when it is its turn.
	doubt *doubt
	// needed is set for an inner node that stands for more than its leaves: if all
	// of them turn out not to be enabled, it has to be explored as a leaf.
	needed bool
}

// doubt says of a leaf what else it stands for. That has to be looked at again if
// the leaf is not enabled, or touches other objects than was thought.
type doubt struct {
	// node is the node whose race it reverses, past the signature of its causes.
	node    int32
	past    uint64
	waiting []sequence
}

// sequence is something to do.
type sequence struct {
	steps []step
	doubt *doubt
}

// insert adds v to a wakeup tree, unless some leaf of the tree stands for v already
// (JACM 2017, definition 6.2). It uses v up. The doubt is about the last step.
func insert(tree []*waking, v []*step, last *doubt) []*waking {
	list := &tree
	var inner *waking
descend:
	for len(v) > 0 {
		for _, b := range *list {
			at, ok := weakInitial(&b.step, v)
			if !ok {
				continue
			}
			if len(b.kids) == 0 {
				if b.doubt != nil {
					b.doubt.waiting = append(b.doubt.waiting, sequence{copies(v), last})
				}
				return tree
			}
			if at >= 0 {
				v = append(v[:at], v[at+1:]...)
			}
			list, inner = &b.kids, b
			continue descend
		}
		for i, s := range v {
			b := &waking{step: s.clone()}
			if i == len(v)-1 {
				b.doubt = last
			}
			*list = append(*list, b)
			list = &b.kids
		}
		return tree
	}
	inner.needed = true
	return tree
}

// prune takes the sequences out of a tree that s could begin.
func prune(tree []*waking, s *step) []*waking {
	var kept []*waking
	var path, v []*step
	var visit func(list []*waking)
	visit = func(list []*waking) {
		for _, b := range list {
			path = append(path, &b.step)
			if len(b.kids) == 0 || b.needed {
				if _, ok := weakInitial(s, path); !ok {
					v = append(v[:0], path...)
					kept = insert(kept, v, b.doubt)
				}
			}
			visit(b.kids)
			path = path[:len(path)-1]
		}
	}
	visit(tree)
	return kept
}

func copies(v []*step) []step {
	out := make([]step, len(v))
	for i, s := range v {
		out[i] = s.clone()
	}
	return out
}

// refer fills buf with pointers to the steps.
func refer(buf []*step, steps []step) []*step {
	buf = buf[:0]
	for i := range steps {
		buf = append(buf, &steps[i])
	}
	return buf
}
