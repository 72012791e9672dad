package explore

import (
	"fmt"
	"math"
	"math/rand/v2"

	"dmasim/sim"
)

// Tosses are the random decisions of a sampling strategy, one draw at a time. A
// test that wants the exact probability of something enumerates them.
type Tosses interface {
	// Below draws uniformly from [0,n); n is at least 1.
	Below(n int) int
}

// PCT is the randomized scheduler of Burckhardt, Kothari, Musuvathi and
// Nagarakatte ("A Randomized Scheduler with Probabilistic Guarantees of Finding
// Bugs", ASPLOS 2010, section 3). Tasks have the priorities d..d+n-1 in a random
// order, and the enabled task of the highest priority runs. There are d-1 change
// points, each drawn from [1,k] independently of the others; after step c_i the
// task that has just run gets priority d-i. A bug of depth d is found in one run
// with probability at least 1/(n k^(d-1)).
//
// The number of tasks need not be known: a new task is put at a random place in
// the order of those that exist, which makes every permutation equally likely. A
// task that was created during the run has a place of its own in that order from
// then on.
//
// The number of steps k is the length of the longest run so far. The first run has
// no change points.
//
// Priorities are not fair: two tasks that undo each other's work may have them to themselves for ever, and
// a run that ends so at its step bound says nothing of the program. So a run that is half-way to its bound goes on
// as a random walk. If it comes to its bound all the same, that is not for want of a turn.
type PCT struct {
	d, k   int
	learn  bool
	tosses Tosses
	seed   uint64
	run    uint64
	stride uint64
	tasks  int // the largest number of tasks in a run so far

	// rank is the place of each task among the initial priorities, lowest first; low is the
	// priority of those that passed a change point, 0 if there was none.
	rank   []int
	low    []int
	change []int // change[i-1] is c_i
	last   int   // the task that ran last, -1 at the start
}

// NewPCT returns a sampler for bugs of depth d, which is at least 1. It never ends
// by itself.
func NewPCT(seed uint64, d int) *PCT {
	return &PCT{d: max(d, 1), learn: true, seed: seed, stride: 1, tosses: newCoins(seed, 0), last: -1}
}

// Fork returns a sampler for some of the runs. It learns the number of steps for itself.
func (p *PCT) Fork(first, stride uint64) Sampler {
	run := p.run + first*p.stride
	return &PCT{d: p.d, k: p.k, learn: p.learn, seed: p.seed, run: run, stride: stride * p.stride, tosses: newCoins(p.seed, run), last: -1}
}

// Promise is the published bound for this program.
func (p *PCT) Promise() string {
	if p.tasks == 0 || p.k == 0 {
		return ""
	}
	prob := 1 / (float64(p.tasks) * math.Pow(float64(p.k), float64(p.d-1)))
	return fmt.Sprintf("a bug of depth %d is found by one run with probability at least 1/(n k^(d-1)) = %.2g, for n=%d tasks and k=%d steps", p.d, prob, p.tasks, p.k)
}

// NewPCTFixed returns a sampler with a known number of steps, whose decisions are
// the given ones.
func NewPCTFixed(d, k int, tosses Tosses) *PCT {
	return &PCT{d: d, k: k, tosses: tosses, last: -1}
}

func (p *PCT) Name() string      { return "pct" }
func (p *PCT) Covered() Coverage { return Coverage{} }

func (p *PCT) Next(at *sim.Point) *sim.Task {
	p.meet(at.Current.Machine().Tasks())
	if at.Step > at.Current.Machine().StepLimit/2 {
		t := at.Enabled[p.tosses.Below(len(at.Enabled))]
		p.last = t.Index()
		return t
	}
	if at.Step == 1 && p.k > 0 {
		for range p.d - 1 {
			p.change = append(p.change, 1+p.tosses.Below(p.k))
		}
	}
	for i, c := range p.change {
		if c == at.Step-1 && p.last >= 0 {
			p.low[p.last] = p.d - (i + 1)
		}
	}
	best := at.Enabled[0]
	for _, t := range at.Enabled[1:] {
		if p.less(best.Index(), t.Index()) {
			best = t
		}
	}
	p.last = best.Index()
	return best
}

// meet gives the new tasks their places. The first task has none: it is below all others.
func (p *PCT) meet(tasks []*sim.Task) {
	for i := len(p.low); i < len(tasks); i++ {
		place := -1
		if i > 0 {
			place = p.tosses.Below(i)
			for j, r := range p.rank {
				if r >= place {
					p.rank[j]++
				}
			}
		}
		p.low, p.rank = append(p.low, 0), append(p.rank, place)
	}
}

// less compares the priorities of two tasks.
func (p *PCT) less(a, b int) bool {
	switch x, y := p.low[a], p.low[b]; {
	case x == 0 && y == 0:
		return p.rank[a] < p.rank[b]
	case x == 0 || y == 0:
		return y == 0
	default:
		return x < y
	}
}

func (p *PCT) Choose(t *sim.Task, n int) int { return p.tosses.Below(n) }

func (p *PCT) Done(r *sim.Result) bool {
	if p.learn {
		p.k = max(p.k, r.Steps)
		p.tasks = max(p.tasks, len(p.rank)-1)
		p.run += p.stride
		p.tosses = newCoins(p.seed, p.run)
	}
	p.rank, p.low, p.change, p.last = p.rank[:0], p.low[:0], p.change[:0], -1
	return true
}

// coins are Tosses by a pseudo-random generator.
type coins struct{ pcg rand.PCG }

func newCoins(seed, run uint64) *coins {
	c := &coins{}
	c.pcg.Seed(seed, run)
	return c
}

func (c *coins) Below(n int) int { return below(&c.pcg, n) }
