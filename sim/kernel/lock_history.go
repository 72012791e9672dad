package kernel

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// LockHistory is lockdep over all runs of an exploration, as a kernel that runs for long
// collects them: a ring of edges that come from different runs is a possible deadlock, too.
type LockHistory struct {
	graphs map[uint64]bool // that were seen
	edges  map[[2]string]*pastEdge
}

// pastEdge is an edge, and the first run that showed it; number 0 is what is documented.
type pastEdge struct {
	ends     [2]string
	number   int
	what     string
	schedule sim.Schedule
}

// NewLockHistory returns a history without runs.
func NewLockHistory() *LockHistory {
	return &LockHistory{map[uint64]bool{}, map[[2]string]*pastEdge{}}
}

// Observe adds what the machine's last run showed.
func (h *LockHistory) Observe(number int, m *sim.Machine, r *sim.Result) {
	k, ok := m.Value.(*Kernel)
	if !ok || h.graphs[k.Lockdep.graph] {
		return
	}
	h.graphs[k.Lockdep.graph] = true
	var schedule *sim.Schedule
	for _, c := range k.Lockdep.classes {
		for _, e := range c.next {
			ends := [2]string{c.name, e.to.name}
			if old := h.edges[ends]; old != nil && (old.number == 0 || !e.documented) {
				continue
			}
			p := &pastEdge{ends: ends, what: e.String()}
			if !e.documented {
				if schedule == nil {
					s := r.Schedule()
					schedule = &s
				}
				p.number, p.schedule = number, *schedule
			}
			h.edges[ends] = p
		}
	}
}

// Fork is a history for another worker.
func (h *LockHistory) Fork() explore.Observer { return NewLockHistory() }

// Merge adds what another history has. The earliest run counts.
func (h *LockHistory) Merge(o explore.Observer) {
	for ends, e := range o.(*LockHistory).edges {
		if old := h.edges[ends]; old == nil || e.number < old.number {
			h.edges[ends] = e
		}
	}
}

// Conclude looks for the shortest ring, and of those as short for the one that was there
// first.
func (h *LockHistory) Conclude() *explore.Conclusion {
	var edges []*pastEdge
	for _, e := range h.edges {
		edges = append(edges, e)
	}
	slices.SortFunc(edges, func(a, b *pastEdge) int {
		return cmp.Or(cmp.Compare(a.number, b.number), strings.Compare(a.ends[0], b.ends[0]), strings.Compare(a.ends[1], b.ends[1]))
	})
	next := map[string][]*pastEdge{}
	for _, e := range edges {
		next[e.ends[0]] = append(next[e.ends[0]], e)
	}
	var ring []*pastEdge
	for _, e := range edges {
		if way := shortest(next, e.ends[1], e.ends[0]); way != nil && (ring == nil || len(way)+1 < len(ring)) {
			ring = append([]*pastEdge{e}, way...)
		}
	}
	if ring == nil {
		return nil
	}
	c := &explore.Conclusion{Kind: LockOrder}
	var names []string
	runs := map[int]bool{0: true}
	for _, e := range ring {
		names = append(names, e.ends[0])
		c.Detail = append(c.Detail, e.what)
		if !runs[e.number] {
			runs[e.number] = true
			c.Runs = append(c.Runs, explore.Witness{What: e.ends[0] + " -> " + e.ends[1], Schedule: e.schedule})
		}
	}
	c.Message = fmt.Sprintf("possible circular locking dependency, from %d runs: %s -> %s", len(c.Runs), strings.Join(names, " -> "), names[0])
	return c
}

// shortest is the shortest way between two classes.
func shortest(next map[string][]*pastEdge, from, to string) []*pastEdge {
	via := map[string]*pastEdge{from: nil}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		for _, e := range next[queue[0]] {
			if _, seen := via[e.ends[1]]; seen {
				continue
			}
			via[e.ends[1]] = e
			if e.ends[1] == to {
				var way []*pastEdge
				for ; e != nil; e = via[e.ends[0]] {
					way = append(way, e)
				}
				slices.Reverse(way)
				return way
			}
			queue = append(queue, e.ends[1])
		}
	}
	return nil
}
