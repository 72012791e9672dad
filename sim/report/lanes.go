package report

import (
	"slices"

	"dmasim/sim"
)

// maxLanes is how many columns a reader can follow, and a line can hold.
const maxLanes = 4

// lane is one column of the diagram.
type lane struct {
	// owner names the lane; nil for the lane of all that have none.
	owner *sim.Task
	// many is set if more than one task stands in it, so that each has to be
	// announced.
	many bool
}

// lanes assigns the tasks of a story to columns, in order of creation, the first
// task last.
func lanes(rows []sim.Row, es []entry) ([]lane, map[*sim.Task]int) {
	split := splits(rows)
	var owners []*sim.Task
	weight := map[*sim.Task]int{}
	place := func() {
		owners = owners[:0]
		clear(weight)
		for _, e := range es {
			if e.task == nil {
				continue
			}
			o := owner(e.task, split)
			if weight[o] == 0 {
				owners = append(owners, o)
			}
			weight[o] += max(1, e.folded)
			if e.mark != "" {
				weight[o] += len(rows) + len(es) // never merged away
			}
		}
	}
	place()
	for len(owners) > maxLanes && unsplit(owners, weight, split) {
		place()
	}

	of := map[*sim.Task]int{}
	slices.SortStableFunc(owners, func(a, b *sim.Task) int { return weight[b] - weight[a] })
	others := len(owners) > maxLanes
	if others {
		owners = owners[:maxLanes-1]
	}
	slices.SortStableFunc(owners, before)
	ls := make([]lane, len(owners))
	for i, o := range owners {
		ls[i].owner = o
	}
	if others {
		ls = append(ls, lane{many: true})
	}
	for _, e := range es {
		if e.task == nil {
			continue
		}
		if _, ok := of[e.task]; ok {
			continue
		}
		i := slices.Index(owners, owner(e.task, split))
		if i < 0 {
			i = len(ls) - 1
		}
		of[e.task] = i
	}
	for i := range ls {
		ls[i].name(of, i)
	}
	return ls, of
}

// name gives the lane to the only task in it, if there is just one.
func (l *lane) name(of map[*sim.Task]int, i int) {
	if l.owner == nil {
		return
	}
	var only *sim.Task
	n := 0
	for t, j := range of {
		if i == j {
			only = t
			n++
		}
	}
	if n == 1 {
		l.owner = only
	}
	l.many = n > 1
}

// splits are the tasks that the schedule sets against each other although they have
// a root in common: one was preempted for the other. A switch away from a task that
// could not go on is no such contest, the usual case is a task that waits for its
// own work item.
func splits(rows []sim.Row) map[*sim.Task]bool {
	split := map[*sim.Task]bool{}
	var last *sim.Task
	for i := range rows {
		r := &rows[i]
		if r.Event < 0 || r.Phase != sim.PhaseExplore || r.Task == nil {
			continue
		}
		if last != nil && last != r.Task && r.Preempted && root(last) == root(r.Task) {
			split[last], split[r.Task] = true, true
		}
		last = r.Task
	}
	return split
}

// unsplit takes the least important split back, and tells whether there was one.
func unsplit(owners []*sim.Task, weight map[*sim.Task]int, split map[*sim.Task]bool) bool {
	var least *sim.Task
	for _, o := range owners {
		if split[o] && o != root(o) && (least == nil || weight[o] < weight[least]) {
			least = o
		}
	}
	delete(split, least)
	return least != nil
}

// owner is the task in whose lane t stands.
func owner(t *sim.Task, split map[*sim.Task]bool) *sim.Task {
	for u := t; ; u = u.Parent() {
		if split[u] || u == root(u) {
			return u
		}
	}
}

// root is the ancestor of t that the first task created, or the first task itself.
func root(t *sim.Task) *sim.Task {
	for t.Parent() != nil && t.Parent().Parent() != nil {
		t = t.Parent()
	}
	return t
}

// before orders lanes by creation, with the first task, which only sets up and
// tears down, last.
func before(a, b *sim.Task) int {
	if (a.Parent() == nil) != (b.Parent() == nil) {
		if a.Parent() == nil {
			return 1
		}
		return -1
	}
	return a.Index() - b.Index()
}
