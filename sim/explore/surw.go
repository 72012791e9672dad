package explore

import (
	"slices"

	"dmasim/sim"
)

// SURW is the selectively uniform random walk (Zhao, Wolff, Mathur and Roychoudhury,
// "Selectively Uniform Concurrency Testing", ASPLOS 2025). A walk that takes every
// enabled task with the same probability favours the interleavings in which short
// tasks go first. This one weights a task with the number of operations that it still
// has before it, which makes all interleavings equally likely; and it does so for the
// operations of interest alone, so that it does not matter how many others there are.
//
// As published: after every operation of interest, the task that is to do the next one
// is drawn with its remaining number of them as weight. Until it has, others do not get
// past their own next operation of interest; whatever else is enabled is equally
// likely. The operations of tasks that are still to be created count for their nearest
// ancestor that exists, and if that is the task drawn, its creating another one draws
// again between the two, by what they are left with.
//
// If the numbers are right, and no operation waits for another one, all orders of the
// operations of interest are equally likely: the operations form a forest, and the
// fraction of its linear extensions that begin in one of its trees is the fraction of
// the operations that are in that tree.
//
// Approximated are three things. The numbers are estimates: the means, rounded, of the
// runs that did not fail; until there is one, all weights are 1. A task that does more
// than was expected has the weight 1 from then on. A task that cannot go on is not
// drawn, and if the one drawn becomes disabled the draw is repeated among those that
// are enabled: locks, joins and other waiting bias the walk. And what is of interest is
// decided by the caller once and for all, where the authors also choose it at random.
type SURW struct {
	seed, run, stride uint64
	tosses            Tosses
	fixed             bool // the counts and tosses are not changed by runs
	interest          func(*sim.Object) bool

	// counts has what is known of each task by its key, and keys those of the tasks
	// in the order in which they were met first, parents before children.
	counts map[uint64]*count
	keys   []uint64
	runs   int // that were counted

	// total is the expected number of operations of a task and its descendants; it
	// is valid for one run.
	total map[uint64]int
	// weight has, by task, what is left of that, without the descendants that exist;
	// did counts what the task did itself.
	weight, did []int
	m           *sim.Machine
	drawn       int // the task that is to do the next operation of interest, or -1
	free        []*sim.Task
}

// count adds up the operations of interest of one task.
type count struct {
	parent uint64
	sum    int
}

// NewSURW returns the sampler with all operations on objects being of interest, those
// on objects that are known to be private to a task aside, which are no scheduling
// points (sim.Machine.Hide). It never ends by itself. What a run does depends on the
// seed and the runs before it.
func NewSURW(seed uint64) *SURW {
	return &SURW{seed: seed, stride: 1, tosses: newCoins(seed, 0), counts: map[uint64]*count{}, drawn: -1}
}

// Fork returns a sampler for some of the runs. It counts for itself.
func (s *SURW) Fork(first, stride uint64) Sampler {
	run := s.run + first*s.stride
	return &SURW{seed: s.seed, run: run, stride: stride * s.stride, tosses: newCoins(s.seed, run),
		fixed: s.fixed, interest: s.interest, counts: map[uint64]*count{}, drawn: -1}
}

// Only makes the operations on some objects those of interest. The answer may depend on
// what the object is, and must not on the run. A task that polls an object of no
// interest may wait for one that is held back, up to the step bound. It returns s, and
// belongs before the first run.
func (s *SURW) Only(interest func(*sim.Object) bool) *SURW {
	s.interest = interest
	return s
}

// NewSURWFixed returns a sampler that uses the counts and the operations of interest of
// another one, does not learn, and whose decisions are the given ones.
func NewSURWFixed(learned *SURW, tosses Tosses) *SURW {
	return &SURW{
		tosses: tosses, fixed: true, interest: learned.interest,
		counts: learned.counts, keys: learned.keys, runs: learned.runs, drawn: -1,
	}
}

func (s *SURW) Name() string      { return "surw" }
func (s *SURW) Covered() Coverage { return Coverage{} }

// Restart forgets the counts: they are not those of a program with other scheduling
// points.
func (s *SURW) Restart() {
	s.counts, s.keys, s.runs = map[uint64]*count{}, nil, 0
	s.forget()
}

func (s *SURW) Next(p *sim.Point) *sim.Task {
	if p.Step == 1 {
		s.expect()
	}
	s.m = p.Current.Machine()
	s.meet(s.m.Tasks())
	if s.drawn < 0 || !slices.ContainsFunc(p.Enabled, func(t *sim.Task) bool { return t.Index() == s.drawn }) {
		s.draw(p.Enabled)
	}
	s.free = s.free[:0]
	for _, t := range p.Enabled {
		if t.Index() == s.drawn || !s.interests(t) {
			s.free = append(s.free, t)
		}
	}
	t := s.free[0]
	if len(s.free) > 1 {
		t = s.free[s.tosses.Below(len(s.free))]
	}
	if s.interests(t) {
		i := t.Index()
		s.weight[i] = max(s.weight[i]-1, 0)
		s.did[i]++
		s.drawn = -1
	}
	return t
}

// interests tells whether the operation that t announced is of interest.
func (s *SURW) interests(t *sim.Task) bool {
	op, _ := t.Pending()
	return op.Obj != nil && (s.interest == nil || s.interest(op.Obj))
}

// remaining is the weight of a task.
func (s *SURW) remaining(t *sim.Task) int {
	w := s.weight[t.Index()]
	if w == 0 && s.interests(t) {
		return 1
	}
	return w
}

// draw decides which of the enabled tasks is to do the next operation of interest. If
// none of them is expected to do one, it is nobody.
func (s *SURW) draw(enabled []*sim.Task) {
	s.drawn = -1
	sum := 0
	for _, t := range enabled {
		sum += s.remaining(t)
	}
	if sum == 0 {
		return
	}
	at := s.tosses.Below(sum)
	for _, t := range enabled {
		if at -= s.remaining(t); at < 0 {
			s.drawn = t.Index()
			return
		}
	}
}

// expect computes what is expected of the tasks in this run. A task that does not exist
// in all runs counts by how often it does.
func (s *SURW) expect() {
	if s.total == nil {
		s.total = map[uint64]int{}
	}
	clear(s.total)
	for _, key := range slices.Backward(s.keys) {
		c := s.counts[key]
		s.total[key] += (2*c.sum + s.runs) / (2 * s.runs)
		s.total[c.parent] += s.total[key]
	}
}

// meet gives the new tasks the weights that their ancestors had on account of them.
func (s *SURW) meet(tasks []*sim.Task) {
	for i := len(s.weight); i < len(tasks); i++ {
		t := tasks[i]
		own := s.total[t.Key()]
		s.weight = append(s.weight, own)
		s.did = append(s.did, 0)
		if t.Parent() == nil {
			continue
		}
		up := t.Parent().Index()
		before := s.weight[up]
		s.weight[up] = max(before-own, 0)
		if up == s.drawn && own > 0 && (before <= own || s.tosses.Below(before) < own) {
			s.drawn = i
		}
	}
}

func (s *SURW) Choose(t *sim.Task, n int) int { return s.tosses.Below(n) }

// learn adds what the tasks of a run did to the counts.
func (s *SURW) learn(tasks []*sim.Task) {
	s.runs++
	for i, did := range s.did {
		t := tasks[i]
		c := s.counts[t.Key()]
		if c == nil {
			c = &count{}
			if t.Parent() != nil {
				c.parent = t.Parent().Key()
			}
			s.counts[t.Key()] = c
			s.keys = append(s.keys, t.Key())
		}
		c.sum += did
	}
}

func (s *SURW) Done(r *sim.Result) bool {
	if !s.fixed {
		if (r.Failure == nil || r.Failure.Minor) && s.m != nil {
			s.learn(s.m.Tasks())
		}
		s.run += s.stride
		s.tosses = newCoins(s.seed, s.run)
	}
	s.forget()
	return true
}

// forget ends a run.
func (s *SURW) forget() {
	s.weight, s.did, s.drawn, s.m = s.weight[:0], s.did[:0], -1, nil
}
