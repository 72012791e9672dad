package explore

import "dmasim/sim"

// Deepen is depth-first search with the bound raised from 0 to its limit, so that
// what it finds first needs the fewest delays or preemptions. The runs of smaller
// bounds are done again in larger ones; they are few in comparison.
type Deepen struct {
	limit   Coverage
	dfs     *DFS
	covered Coverage
}

// NewDeepen returns the search up to a limit by Delays or Preemptions.
func NewDeepen(limit Coverage) *Deepen {
	return &Deepen{limit: limit, dfs: NewDFS(Coverage{limit.Bound, 0})}
}

func (d *Deepen) Name() string                  { return "dfs" }
func (d *Deepen) Restart()                      { *d = *NewDeepen(d.limit) }
func (d *Deepen) Covered() Coverage             { return d.covered }
func (d *Deepen) Next(p *sim.Point) *sim.Task   { return d.dfs.Next(p) }
func (d *Deepen) Choose(t *sim.Task, n int) int { return d.dfs.Choose(t, n) }

func (d *Deepen) Done(r *sim.Result) bool {
	if d.dfs.Done(r) {
		return true
	}
	d.covered = d.dfs.Covered()
	if d.covered.Bound == All || d.dfs.bound.N >= d.limit.N {
		return false
	}
	d.dfs = NewDFS(Coverage{d.limit.Bound, d.dfs.bound.N + 1})
	return true
}
