package explore

import "dmasim/sim"

// DFS explores depth first, without reduction, every schedule within a bound. It
// keeps one path: memory is proportional to the depth of a run.
type DFS struct {
	bound  Coverage
	path   []branch
	depth  int // branches passed in this run
	used   int // of the bound, in this run
	pruned bool
	done   bool
	buf    []*sim.Task
}

// branch is a point with more than one way to go on.
type branch struct {
	// n ways are allowed by the bound; way is the one taken.
	n, way int
	cost   costRule
}

// costRule says how much of the bound a way uses up.
type costRule uint8

const (
	free       costRule = iota // nothing
	byPosition                 // way i costs i
	oneEach                    // way 0 is free, every other costs 1
)

func (b *branch) spent() int {
	switch b.cost {
	case byPosition:
		return b.way
	case oneEach:
		return min(b.way, 1)
	}
	return 0
}

// NewDFS returns a depth-first search within a bound: Delays, Preemptions or All.
func NewDFS(bound Coverage) *DFS { return &DFS{bound: bound} }

func (d *DFS) Name() string { return "dfs" }

// Restart forgets everything.
func (d *DFS) Restart() { *d = DFS{bound: d.bound} }

func (d *DFS) Covered() Coverage {
	switch {
	case !d.done:
		return Coverage{}
	case !d.pruned:
		return Coverage{Bound: All}
	}
	return d.bound
}

func (d *DFS) Next(p *sim.Point) *sim.Task {
	if len(p.Enabled) == 1 {
		return p.Enabled[0]
	}
	d.buf = p.Ordered(d.buf[:0])
	b := branch{n: len(d.buf)}
	left := d.bound.N - d.used
	switch {
	case d.bound.Bound == Delays:
		b.cost = byPosition
		b.n = min(b.n, left+1)
	case d.bound.Bound == Preemptions && p.CurrentEnabled:
		b.cost = oneEach
		if left == 0 {
			b.n = 1
		}
	}
	if b.n < len(d.buf) {
		d.pruned = true
	}
	way := d.take(b)
	if way >= len(d.buf) {
		return nil // not the program that the path was made with
	}
	return d.buf[way]
}

func (d *DFS) Choose(t *sim.Task, n int) int { return d.take(branch{n: n}) }

// take follows the path, or extends it with the first way of b.
func (d *DFS) take(b branch) int {
	if b.n == 1 {
		return 0
	}
	if d.depth == len(d.path) {
		d.path = append(d.path, b)
	}
	at := &d.path[d.depth]
	d.depth++
	d.used += at.spent()
	return at.way
}

func (d *DFS) Done(*sim.Result) bool {
	d.path = d.path[:d.depth]
	d.depth, d.used = 0, 0
	for len(d.path) > 0 {
		last := &d.path[len(d.path)-1]
		if last.way+1 < last.n {
			last.way++
			return true
		}
		d.path = d.path[:len(d.path)-1]
	}
	d.done = true
	return false
}
