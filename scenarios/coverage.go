package scenarios

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// StepCoverage is which steps of the specification runs came to, and in which order steps of different
// tasks met at an object. The zero value has no runs.
type StepCoverage struct {
	// Runs is how many there were.
	Runs int
	// Steps counts the runs that came to a step, and First names the first scenario that did.
	Steps map[string]int
	First map[string]string
	// Pairs are the steps of two tasks that used the same object in conflict, one directly
	// after the other, by the names of both in alphabetical order.
	Pairs map[[2]string]*Pair
	// Apart are those that used the same object in conflict in some run, and between which something came in every
	// run: how often, and the kind of the object.
	Apart map[[2]string]*Pair
}

// Pair says in how many runs two steps met at an object, in which order.
type Pair struct {
	// Object is the kind of object that they met at first.
	Object string
	// Forth is as often as the first of them, by name, came first, Back as often as the
	// second. If both have one name, only Forth counts.
	Forth, Back int
}

// CoverSteps explores scenarios on some designs, up to the quick promise or up to the given
// bound if that is set, goes on after failures, and looks which steps the runs come to.
func CoverSteps(ctx context.Context, all []*Scenario, bound explore.Coverage, designs ...*Design) (*StepCoverage, error) {
	c := &StepCoverage{}
	return c, c.cover(ctx, all, designs, -1, func(s *Scenario) (explore.Strategy, error) {
		return NewStrategy("dfs", 1, cmp.Or(bound, s.Quick))
	})
}

// CoverWalks adds a number of random walks of each scenario on each of some designs, which come to what has no bound
// on delays, and is seldom.
func (c *StepCoverage) CoverWalks(ctx context.Context, all []*Scenario, seed uint64, walks int, designs ...*Design) error {
	return c.cover(ctx, all, designs, walks, func(*Scenario) (explore.Strategy, error) {
		return NewStrategy("random", seed, explore.Coverage{Bound: explore.Sampled})
	})
}

// cover adds the runs of a strategy of each scenario on each design, at most a number of them if that is not negative.
func (c *StepCoverage) cover(ctx context.Context, all []*Scenario, designs []*Design, runs int, with func(*Scenario) (explore.Strategy, error)) error {
	m := sim.NewMachine()
	defer m.Close()
	m.KeepMarks(true)
	for _, s := range all {
		for _, d := range designs {
			x, err := NewCase(s, d, 0)
			if err != nil {
				return err
			}
			strategy, err := with(s)
			if err != nil {
				return err
			}
			program := x.Program()
			for n := 0; n != runs && ctx.Err() == nil; n++ {
				r := m.Run(strategy, program)
				if !r.Abandoned {
					c.add(m, s.Name)
				}
				if !strategy.Done(r) {
					break
				}
			}
		}
	}
	return ctx.Err()
}

// CoverDrawn adds a number of runs of the workloads of a fuzz, some of each.
func (c *StepCoverage) CoverDrawn(ctx context.Context, f *Fuzz, runs int) error {
	const each = 5
	m := sim.NewMachine()
	defer m.Close()
	m.KeepMarks(true)
	for i := 0; i < runs && ctx.Err() == nil; {
		n := f.First + i/each*max(f.Step, 1)
		x, err := NewCase(Drawn(f.Workload(n)), f.Design, f.Fixes)
		if err != nil {
			return err
		}
		strategy, err := NewStrategy(fuzzStrategies[n%len(fuzzStrategies)], f.Seed^uint64(n), explore.Coverage{Bound: explore.Sampled})
		if err != nil {
			return err
		}
		program := x.Program()
		for range each {
			r := m.Run(strategy, program)
			c.add(m, "a drawn workload")
			strategy.Done(r)
			i++
		}
	}
	return ctx.Err()
}

// add notes what the last run of a machine did.
func (c *StepCoverage) add(m *sim.Machine, scenario string) {
	if c.Runs++; c.Runs == 1 {
		c.Steps, c.First, c.Pairs, c.Apart = map[string]int{}, map[string]string{}, map[[2]string]*Pair{}, map[[2]string]*Pair{}
	}
	marks := m.Marks()
	seen := map[string]bool{}
	for _, k := range marks {
		if !seen[k.Label] {
			seen[k.Label] = true
			if c.Steps[k.Label]++; c.First[k.Label] == "" {
				c.First[k.Label] = scenario
			}
		}
	}
	type use struct {
		task  *sim.Task
		step  string
		class sim.Class
	}
	last := map[*sim.Object]use{}
	before := map[*sim.Object][]use{}
	step := map[*sim.Task]string{}
	from, to := m.Explored()
	next := 0
	met := map[[3]string]bool{}
	events := m.Events()
	for i := range to {
		for ; next < len(marks) && marks[next].Events <= i; next++ {
			if k := marks[next]; !strings.HasPrefix(k.Label, "IT-") { // which have nothing to do with others
				step[k.Task] = k.Label
			}
		}
		e := &events[i]
		touch := func(o *sim.Object, class sim.Class) {
			now := use{e.Task, step[e.Task], class}
			was, ok := last[o]
			last[o] = now
			if i >= from && now.step != "" {
				for _, w := range before[o] {
					if w.task != now.task && w.class.Conflicts(now.class) {
						c.apart(w.step, now.step, o)
					}
				}
				if !slices.Contains(before[o], now) {
					before[o] = append(before[o], now)
				}
			}
			if !ok || i < from || was.task == now.task || was.step == "" || now.step == "" || !was.class.Conflicts(now.class) {
				return
			}
			a, b, way := was.step, now.step, "forth"
			if a > b {
				a, b, way = b, a, "back"
			}
			if id := [3]string{a, b, way}; met[id] {
				return
			} else {
				met[id] = true
			}
			p := c.Pairs[[2]string{a, b}]
			if p == nil {
				p = &Pair{Object: o.Type}
				c.Pairs[[2]string{a, b}] = p
			}
			if way == "forth" {
				p.Forth++
			} else {
				p.Back++
			}
		}
		if e.Obj != nil {
			touch(e.Obj, e.Class)
		}
		for _, x := range m.Extra(e) {
			touch(x.Obj, x.Class)
		}
	}
}

func (c *StepCoverage) apart(a, b string, o *sim.Object) {
	if a > b {
		a, b = b, a
	}
	p := c.Apart[[2]string{a, b}]
	if p == nil {
		p = &Pair{Object: o.Type}
		c.Apart[[2]string{a, b}] = p
	}
	p.Forth++
}

// Specified tells whether a label is a step of the specification, or a branch of one.
func Specified(label string) bool {
	return slices.ContainsFunc(steps, func(s Step) bool { return s.Name == label })
}

// Missing lists the steps that no run came to and that are not known to be unreachable.
func (c *StepCoverage) Missing() (out []string) {
	for _, s := range steps {
		if c.Steps[s.Name] == 0 && s.Unreachable == "" {
			out = append(out, s.Name)
		}
	}
	return out
}

// Sorted lists the pairs of steps that met.
func (c *StepCoverage) Sorted() [][2]string {
	out := slices.Collect(maps.Keys(c.Pairs))
	slices.SortFunc(out, byName)
	return out
}

// NeverMet lists the pairs that used an object and never met there, sorted.
func (c *StepCoverage) NeverMet() (out [][2]string) {
	for p := range c.Apart {
		if c.Pairs[p] == nil {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, byName)
	return out
}

func byName(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) }

// OneWay lists the pairs of steps that met in one order only, sorted.
func (c *StepCoverage) OneWay() (out [][2]string) {
	for pair, p := range c.Pairs {
		if pair[0] != pair[1] && (p.Forth == 0) != (p.Back == 0) {
			if p.Forth == 0 {
				pair[0], pair[1] = pair[1], pair[0]
			}
			out = append(out, pair)
		}
	}
	slices.SortFunc(out, byName)
	return out
}
