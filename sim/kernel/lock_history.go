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
// collects them: a ring of edges that come from different runs is a possible deadlock, too,
// and so is a lock that interrupts take in one run and that is held with them enabled in another.
type LockHistory struct {
	graphs map[uint64]bool // that were seen
	edges  map[[2]uint64]*pastEdge
	uses   map[useKey]*pastUse
}

// pastRun is the first run that showed something; number 0 is what is documented.
type pastRun struct {
	number   int
	schedule sim.Schedule
}

// pastNode is a class, or a single lock.
type pastNode struct{ key, class uint64 }

// pastEdge is an edge of either graph.
type pastEdge struct {
	pastRun
	from, to   pastNode
	documented bool
	event      bool
	byClass    []arc // in the names of the classes
	byName     []arc // and of the locks
}

// useKey is a use of the locks of a class with regard to a kind of interrupt.
type useKey struct {
	class  uint64
	line   line
	inside bool
}

// pastUse is such a use.
type pastUse struct {
	pastRun
	useKey
	name, what string
}

// NewLockHistory returns a history without runs.
func NewLockHistory() *LockHistory {
	return &LockHistory{map[uint64]bool{0: true}, map[[2]uint64]*pastEdge{}, map[useKey]*pastUse{}}
}

// Observer is the history that a program has if nothing else is asked for, nil if lockdep is
// off.
func (k *Kernel) Observer() explore.Observer {
	if k.Lockdep.Off {
		return nil
	}
	return NewLockHistory()
}

// maxGraphs bounds the memory for the graphs that were seen.
const maxGraphs = 1 << 16

// Observe adds what the machine's last run showed.
func (h *LockHistory) Observe(number int, m *sim.Machine, r *sim.Result) {
	k, ok := m.Value.(*Kernel)
	if !ok || h.graphs[k.Lockdep.graph] {
		return
	}
	if len(h.graphs) < maxGraphs {
		h.graphs[k.Lockdep.graph] = true
	}
	run := pastRun{number: -1}
	here := func() pastRun {
		if run.number < 0 {
			run = pastRun{number, r.Schedule()}
		}
		return run
	}
	for _, c := range k.Lockdep.classes {
		for _, e := range c.next {
			h.see(m, e, here)
		}
		for _, l := range c.locks {
			for _, e := range l.next {
				h.see(m, e, here)
			}
		}
		for i := range c.used {
			l, u := line(i), c.used[i]
			h.seeUse(useKey{c.hash, l, true}, u.inside, c, here)
			h.seeUse(useKey{c.hash, l, false}, u.enabled, c, here)
		}
	}
}

// see adds an edge if it is new.
func (h *LockHistory) see(m *sim.Machine, e *edge, here func() pastRun) {
	ends := [2]uint64{e.from.key(), e.to.key()}
	if old := h.edges[ends]; old != nil && (old.number == 0 || !e.documented) {
		return
	}
	p := &pastEdge{documented: e.documented, event: e.event != nil, byClass: e.arcs(e.from.class.name, e.to.class.name)}
	p.from, p.to = pastNode{ends[0], e.from.class.hash}, pastNode{ends[1], e.to.class.hash}
	p.byName = e.arcs(e.from.full(m), e.to.full(m))
	if !e.documented {
		p.pastRun = here()
	}
	h.edges[ends] = p
}

// seeUse adds a use, if there is one and it is new.
func (h *LockHistory) seeUse(key useKey, u *use, c *LockClass, here func() pastRun) {
	if u == nil || h.uses[key] != nil {
		return
	}
	h.uses[key] = &pastUse{here(), key, c.name, c.tell(key.line, key.inside, u)}
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
	for key, u := range o.(*LockHistory).uses {
		if old := h.uses[key]; old == nil || u.number < old.number {
			h.uses[key] = u
		}
	}
}

// Conclude looks for a ring of classes, then for one of single locks that goes through an event,
// and then for a way from what interrupts take to what is held with them enabled: the shortest
// one, and of those as short for the one that was there first.
func (h *LockHistory) Conclude() *explore.Conclusion {
	g := newPastGraph(h)
	if ring := g.ring(func(e *pastEdge) bool { return e.from.key == e.from.class }); ring != nil {
		return circularOf(ring)
	}
	if ring := g.ring(func(e *pastEdge) bool { return e.event }); ring != nil {
		return circularOf(ring)
	}
	return g.safeToUnsafe(h)
}

// circularOf words a ring.
func circularOf(ring []*pastEdge) *explore.Conclusion {
	c := &explore.Conclusion{Kind: LockOrder}
	arcs := wording(ring)
	if ring[0].event {
		arcs = append(arcs[1:], arcs[0])
	}
	for _, a := range arcs {
		c.Detail = append(c.Detail, a.String())
	}
	runs := witnesses{0: true}
	for _, e := range ring {
		runs.add(c, e.pastRun, e.String())
	}
	c.Message = fmt.Sprintf("possible circular locking dependency, from %d runs: %s -> %s", len(c.Runs), names(arcs), arcs[0].from)
	return c
}

// witnesses are the numbers of the runs that are among those of a conclusion.
type witnesses map[int]bool

func (w witnesses) add(c *explore.Conclusion, r pastRun, what string) {
	if !w[r.number] {
		w[r.number] = true
		c.Runs = append(c.Runs, explore.Witness{What: what, Schedule: r.schedule})
	}
}

// String is the edge by the names of the classes.
func (e *pastEdge) String() string {
	return e.byClass[0].from + " -> " + e.byClass[len(e.byClass)-1].to
}

// wording words a way, the locks by their own names if there are several of a class.
func wording(way []*pastEdge) (out []arc) {
	of, several := map[uint64]uint64{}, false
	for _, e := range way {
		for _, n := range []pastNode{e.from, e.to} {
			if n.key == n.class {
				continue
			}
			if old := of[n.class]; old != 0 && old != n.key {
				several = true
			}
			of[n.class] = n.key
		}
	}
	for _, e := range way {
		if several {
			out = append(out, e.byName...)
		} else {
			out = append(out, e.byClass...)
		}
	}
	return out
}

// pastGraph is both graphs of all runs.
type pastGraph struct {
	edges []*pastEdge
	next  map[uint64][]*pastEdge
	locks map[uint64][]pastNode // by class
}

func newPastGraph(h *LockHistory) *pastGraph {
	g := &pastGraph{next: map[uint64][]*pastEdge{}, locks: map[uint64][]pastNode{}}
	for _, e := range h.edges {
		g.edges = append(g.edges, e)
	}
	slices.SortFunc(g.edges, func(a, b *pastEdge) int {
		return cmp.Or(cmp.Compare(a.number, b.number), strings.Compare(a.String(), b.String()),
			cmp.Compare(a.from.key, b.from.key), cmp.Compare(a.to.key, b.to.key))
	})
	seen := map[uint64]bool{}
	for _, e := range g.edges {
		g.next[e.from.key] = append(g.next[e.from.key], e)
		for _, n := range []pastNode{e.from, e.to} {
			if n.key != n.class && !seen[n.key] {
				seen[n.key] = true
				g.locks[n.class] = append(g.locks[n.class], n)
			}
		}
	}
	return g
}

// ring is the shortest ring that begins with a wanted edge.
func (g *pastGraph) ring(wanted func(*pastEdge) bool) (ring []*pastEdge) {
	for _, e := range g.edges {
		if !wanted(e) {
			continue
		}
		way := g.way(e.to, func(n pastNode) bool { return n == e.from })
		if way != nil && (ring == nil || len(way)+1 < len(ring)) {
			ring = append([]*pastEdge{e}, way...)
		}
	}
	return ring
}

// reached says how a search came to a node.
type reached struct {
	by   *pastEdge
	from pastNode
}

// way is the shortest way from a node to one that is wanted. Among single locks what is
// documented leads to all locks of its class, see [Lockdep.wayTo].
func (g *pastGraph) way(from pastNode, wanted func(pastNode) bool) []*pastEdge {
	single := from.key != from.class
	via := map[pastNode]reached{from: {}}
	queue := []pastNode{from}
	var way []*pastEdge
	visit := func(n pastNode, r reached) {
		if way == nil && wanted(n) {
			for way = []*pastEdge{r.by}; via[r.from].by != nil; way = append(way, r.by) {
				r = via[r.from]
			}
			slices.Reverse(way)
		}
		if _, ok := via[n]; !ok {
			via[n] = r
			queue = append(queue, n)
		}
	}
	for ; len(queue) > 0 && way == nil; queue = queue[1:] {
		n := queue[0]
		if n.key != n.class || !single {
			for _, e := range g.next[n.key] {
				visit(e.to, reached{e, n})
			}
		}
		if !single {
			continue
		}
		for _, e := range g.next[n.class] {
			if e.documented {
				visit(e.to, reached{e, n})
			}
		}
		if n.key == n.class {
			for _, l := range g.locks[n.class] {
				visit(l, via[n])
			}
		}
	}
	return way
}

// safeToUnsafe looks for a lock that interrupts take, and a way from there to one that is
// held with them enabled: the same, or one that is taken inside.
func (g *pastGraph) safeToUnsafe(h *LockHistory) *explore.Conclusion {
	var inside []*pastUse
	for _, u := range h.uses {
		if u.inside {
			inside = append(inside, u)
		}
	}
	slices.SortFunc(inside, func(a, b *pastUse) int {
		return cmp.Or(cmp.Compare(a.number, b.number), strings.Compare(a.name, b.name), cmp.Compare(a.line, b.line))
	})
	var first, last *pastUse
	var way []*pastEdge
	for _, u := range inside {
		enabled := func(class uint64) *pastUse { return h.uses[useKey{class, u.line, false}] }
		if e := enabled(u.class); e != nil {
			return unsafeOf(u, e, nil)
		}
		w := g.way(pastNode{u.class, u.class}, func(n pastNode) bool { return enabled(n.class) != nil })
		if w != nil && (way == nil || len(w) < len(way)) {
			first, last, way = u, enabled(w[len(w)-1].to.class), w
		}
	}
	if way == nil {
		return nil
	}
	return unsafeOf(first, last, way)
}

// unsafeOf words a way from what interrupts take to what is held with them enabled.
func unsafeOf(first, last *pastUse, way []*pastEdge) *explore.Conclusion {
	c := &explore.Conclusion{Kind: LockOrder, Detail: []string{first.what, last.what}}
	runs := witnesses{0: true}
	runs.add(c, first.pastRun, first.what)
	runs.add(c, last.pastRun, last.what)
	arcs := wording(way)
	for _, a := range arcs {
		c.Detail = append(c.Detail, a.String())
	}
	for _, e := range way {
		runs.add(c, e.pastRun, e.String())
	}
	if way == nil {
		c.Message = fmt.Sprintf("inconsistent lock state, from %d runs: %s is taken in %s context, and elsewhere with %[3]ss enabled", len(c.Runs), first.name, first.line)
	} else {
		c.Message = fmt.Sprintf("%[1]s-safe -> %[1]s-unsafe lock order, from %[2]d runs: %[3]s -> %[4]s", first.line, len(c.Runs), names(arcs), last.name)
	}
	return c
}
