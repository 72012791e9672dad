package kernel

import (
	"fmt"
	"slices"
	"strings"

	"dmasim/sim"
)

// lockNode is a class of locks in the graph of classes, or a lock in the graph of single
// locks, which has the maps, too.
type lockNode struct {
	class *LockClass
	name  string
	obj   *sim.Object // of a single lock
	id    int
	next  []*edge
	known []uint64 // the nodes that edges lead to
	seen  int      // by the search of that number, which came
	via   *edge    // from
	prev  *lockNode
}

// edge says that its end was waited for while its beginning was held.
type edge struct {
	from, to   *lockNode
	held       sim.Place // where from was taken
	documented bool
	signal     bool // from is the map of what is signalled: the signal depended on to
	// event, if not nil, was waited for in between: its signal depended on to.
	event *eventWait
	use   // where to was waited for
}

// eventWait is a wait for what has no class.
type eventWait struct {
	name string
	use
}

// node is the lock by itself.
func (ld *Lockdep) node(d *lockDep) *lockNode {
	switch {
	case d.node != nil:
	case d.obj == nil && d.class.whole != nil:
		d.node = d.class.whole
	default:
		if len(ld.nodes) == cap(ld.nodes) {
			ld.nodes = make([]lockNode, 0, 16)
		}
		ld.nodes = append(ld.nodes, lockNode{class: d.class, name: d.name, obj: d.obj, id: ld.singles})
		ld.singles++
		d.node = &ld.nodes[len(ld.nodes)-1]
		d.class.locks = append(d.class.locks, d.node)
		if d.obj == nil {
			d.class.whole = d.node
		}
	}
	return d.node
}

// key is the identity of the node in all runs of a program.
func (n *lockNode) key() uint64 {
	switch {
	case n.obj != nil:
		return n.obj.Key()
	case n == &n.class.lockNode:
		return n.class.hash
	}
	return n.class.hash + 1
}

func (n *lockNode) leadsTo(o *lockNode) bool {
	w := o.id >> 6
	return w < len(n.known) && n.known[w]>>(o.id&63)&1 != 0
}

// link puts an edge into the graph.
func (ld *Lockdep) link(made edge) *edge {
	if len(ld.edges) == cap(ld.edges) {
		ld.edges = make([]edge, 0, 16)
	}
	ld.edges = append(ld.edges, made)
	e := &ld.edges[len(ld.edges)-1]
	n := e.from
	for len(n.known) <= e.to.id>>6 {
		n.known = append(n.known, 0)
	}
	n.known[e.to.id>>6] |= 1 << (e.to.id & 63)
	n.next = append(n.next, e)
	ld.shows(n.key(), e.to.key())
	return e
}

// shows changes the hash of the graph by what it has not shown before; the order in which it shows
// things does not matter.
func (ld *Lockdep) shows(a, b uint64) {
	x := (a*0x9e3779b97f4a7c15 ^ b) * 0xd6e8feb86659fd93
	ld.graph += (x ^ x>>32) * 0xd6e8feb86659fd93
}

// way is the shortest way of at least one edge between two nodes of a graph, nil if there
// is none.
func (ld *Lockdep) way(from, to *lockNode) []*edge {
	return ld.wayTo(from, func(n *lockNode) bool { return n == to })
}

// wayTo is the shortest way from a node to one that is wanted.
//
// What is documented holds for all locks of the classes: in the graph of single locks it leads to
// each of them.
func (ld *Lockdep) wayTo(from *lockNode, wanted func(*lockNode) bool) []*edge {
	ld.search++
	ld.queue = append(ld.queue[:0], from)
	from.seen, from.via = ld.search, nil
	var found *lockNode
	visit := func(n *lockNode, via *edge, prev *lockNode) {
		if found == nil && wanted(n) { // it may be where the way begins
			found = &lockNode{via: via, prev: prev}
		}
		if n.seen != ld.search {
			n.seen, n.via, n.prev = ld.search, via, prev
			ld.queue = append(ld.queue, n)
		}
	}
	single := from != &from.class.lockNode
	for i := 0; i < len(ld.queue) && found == nil; i++ {
		n := ld.queue[i]
		c := &n.class.lockNode
		if n != c || !single {
			for _, e := range n.next {
				visit(e.to, e, n)
			}
		}
		if !single {
			continue
		}
		for _, e := range c.next {
			if e.documented {
				visit(e.to, e, n)
			}
		}
		if n == c {
			for _, l := range n.class.locks {
				visit(l, n.via, n.prev)
			}
		}
	}
	if found == nil {
		return nil
	}
	var way []*edge
	for n := found; n.via != nil; n = n.prev {
		way = append(way, n.via)
	}
	slices.Reverse(way)
	return way
}

// circular reports a ring of edges: a new one, and the way back.
func (t *Task) circular(e *edge, way []*edge, what string, how ...string) {
	arcs := t.arcs(append([]*edge{e}, way...))
	if e.event != nil { // the event first
		arcs = append(arcs[1:], arcs[0])
	}
	detail := append([]string{what}, chain(arcs)...)
	t.Flag(LockOrder, append(detail, how...), "possible circular locking dependency: %s -> %s", names(arcs), arcs[0].from)
}

// arc is an edge, or half of one that goes through an event, in words.
type arc struct {
	from, to, what string
	calls          []string
}

// arcs words a way. Locks of one class go by their own names if there are several.
func (t *Task) arcs(way []*edge) (out []arc) { return arcs(t.Machine(), way) }

func arcs(m *sim.Machine, way []*edge) (out []arc) {
	of := map[*LockClass]*lockNode{}
	several := map[*LockClass]bool{}
	for _, e := range way {
		for _, n := range []*lockNode{e.from, e.to} {
			if n.obj != nil && of[n.class] != nil && of[n.class] != n {
				several[n.class] = true
			}
			if n.obj != nil {
				of[n.class] = n
			}
		}
	}
	name := func(n *lockNode) string {
		if several[n.class] {
			return n.full(m)
		}
		return n.class.name
	}
	for _, e := range way {
		out = append(out, e.arcs(name(e.from), name(e.to))...)
	}
	return out
}

// full is the name of the class with that of the lock.
func (n *lockNode) full(m *sim.Machine) string {
	if n.obj == nil {
		return n.class.name
	}
	return n.class.name + "(" + m.ObjectName(n.obj) + ")"
}

// arcs words an edge between nodes of the names.
func (e *edge) arcs(from, to string) []arc {
	switch {
	case e.event != nil:
		return []arc{
			{from, e.event.name, fmt.Sprintf("%s, held since %s", e.event.place, e.held), e.event.calls},
			{e.event.name, to, fmt.Sprintf("%s, on the way to the signal of %s", e.place, e.event.name), e.calls},
		}
	case e.signal:
		return []arc{{from, to, fmt.Sprintf("%s, on the way to the signal of %s", e.place, from), e.calls}}
	case e.documented:
		return []arc{{from, to, "the documented order", nil}}
	}
	return []arc{{from, to, fmt.Sprintf("%s, held since %s", e.place, e.held), e.calls}}
}

func (a arc) String() string { return fmt.Sprintf("%s -> %s: %s", a.from, a.to, a.what) }

// names are the beginnings: "a -> b".
func names(arcs []arc) string {
	var out []string
	for _, a := range arcs {
		out = append(out, a.from)
	}
	return strings.Join(out, " -> ")
}

// chain tells where each comes from.
func chain(arcs []arc) (out []string) {
	for _, a := range arcs {
		out = append(out, a.String())
		if len(a.calls) > 0 {
			out = append(out, "  Call trace: "+strings.Join(a.calls, " <- "))
		}
	}
	return out
}
