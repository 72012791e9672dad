package scenarios

import (
	"context"
	"fmt"
	"math/bits"
	"slices"

	"dmasim/sim/explore"
	"dmasim/token"
)

// Remedy is what makes a scenario pass on a design.
type Remedy struct {
	Scenario *Scenario
	// Sets are the minimal sets of repairs with which it passes: without any one of a set it
	// fails. There is one, the empty set, if it passes as it is, and none if all repairs
	// together are not enough.
	Sets []token.Fix
	// Without has the verdict for each set without one of its repairs, with a failure to
	// show. If there are no sets, the verdict with all repairs is under [2]token.Fix{}.
	Without map[[2]token.Fix]*Verdict
	// Checks is how many sets were tried.
	Checks int
}

// Remedy finds all minimal sets of repairs. It takes for granted that a repair never makes
// anything fail that passed without it, which the tests of this package hold the repairs
// to. The error says which set could not be decided within the promised coverage.
//
// The minimal sets that pass are the minimal sets that have a repair of each maximal failing
// set's complement. Those are looked for one by one: a candidate that fails is made as
// large as it can be and still fail.
func (s *Scenario) Remedy(ctx context.Context, d *Design, l Level) (*Remedy, error) {
	r := &Remedy{Scenario: s, Without: map[[2]token.Fix]*Verdict{}}
	check := func(on token.Fix, minimize int) (*Verdict, error) {
		c, err := NewCase(s, d, on)
		if err != nil {
			return nil, err
		}
		promised := c.Promise(l)
		name := "dfs"
		if promised.Bound == explore.All {
			name = "dpor"
		}
		strategy, err := NewStrategy(name, 1, promised)
		if err != nil {
			return nil, err
		}
		v := c.Check(ctx, strategy, promised, explore.Options{MinimizeRuns: minimize})
		if v.Outcome == "incomplete" {
			return nil, fmt.Errorf("%s with %q: the promised coverage was not reached", s.Name, on)
		}
		return v, nil
	}
	known := map[token.Fix]bool{}
	passes := func(on token.Fix) (bool, error) {
		if p, ok := known[on]; ok {
			return p, nil
		}
		v, err := check(on, -1)
		if err != nil {
			return false, err
		}
		if v.Report.Found != nil {
			v.Report.Found.Machine.Close()
		}
		r.Checks++
		known[on] = v.Outcome == "pass"
		return known[on], nil
	}

	all := token.AllFixes()
	ok, err := passes(all)
	if err != nil {
		return nil, err
	}
	if !ok {
		v, err := check(all, 0)
		r.Without[[2]token.Fix{}] = v
		return r, err
	}
	var needed []token.Fix // each of these sets has something that is needed
search:
	for {
		r.Sets = hitting(needed)
		for _, on := range r.Sets {
			if ok, err = passes(on); err != nil {
				return nil, err
			}
			if ok {
				continue
			}
			if on, err = grow(on, all&^on, passes); err != nil {
				return nil, err
			}
			needed = append(needed, all&^on)
			continue search
		}
		break
	}
	for _, on := range r.Sets {
		for _, f := range token.Fixes() {
			if on.Has(f.Fix) {
				if r.Without[[2]token.Fix{on, f.Fix}], err = check(on&^f.Fix, 0); err != nil {
					return nil, err
				}
			}
		}
	}
	return r, nil
}

// grow adds to a set that fails as many of others as it can have and still fail: all of them, or as many of
// the first half as it can, and then of the second.
func grow(on, others token.Fix, passes func(token.Fix) (bool, error)) (token.Fix, error) {
	ok, err := passes(on | others)
	switch n := bits.OnesCount64(uint64(others)); {
	case err != nil || ok && n == 1:
		return on, err
	case !ok:
		return on | others, nil
	default:
		half := token.Fix(0)
		for rest := others; bits.OnesCount64(uint64(half)) < n/2; rest &= rest - 1 {
			half |= rest & -rest
		}
		if on, err = grow(on, half, passes); err != nil {
			return on, err
		}
		return grow(on, others&^half, passes)
	}
}

// hitting lists the minimal sets that have something in common with each of the given ones,
// the smallest first.
func hitting(sets []token.Fix) []token.Fix {
	out := []token.Fix{0}
	for _, s := range sets {
		var next []token.Fix
		for _, h := range out {
			if h&s != 0 {
				next = append(next, h)
				continue
			}
			for rest := s; rest != 0; rest &= rest - 1 {
				next = append(next, h|rest&-rest)
			}
		}
		out = minimal(next)
	}
	return out
}

// minimal keeps the sets that have none of the others in them, in order of size.
func minimal(sets []token.Fix) (out []token.Fix) {
	slices.SortFunc(sets, func(a, b token.Fix) int {
		if d := bits.OnesCount64(uint64(a)) - bits.OnesCount64(uint64(b)); d != 0 {
			return d
		}
		return int(a) - int(b)
	})
	for _, s := range sets {
		if !slices.ContainsFunc(out, s.Has) {
			out = append(out, s)
		}
	}
	return out
}

// Together lists the minimal sets that make all of several scenarios pass; none if there is
// one that nothing makes pass.
func Together(remedies []*Remedy) []token.Fix {
	out := []token.Fix{0}
	for _, r := range remedies {
		var next []token.Fix
		for _, h := range out {
			for _, s := range r.Sets {
				next = append(next, h|s)
			}
		}
		out = minimal(next)
	}
	return out
}
