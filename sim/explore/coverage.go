package explore

import (
	"fmt"
	"strconv"
	"strings"
)

// Coverage says which schedules of a program were, or are to be, explored.
type Coverage struct {
	// Bound is what limits them.
	Bound Bound
	// N is the limit, for BoundDelays and BoundPreemptions.
	N int
}

// Bound is a way to limit the schedules of a program.
type Bound uint8

const (
	// Sampled covers nothing in particular.
	Sampled Bound = iota
	// Delays limits the tasks that are passed over, counted in the default order.
	Delays
	// Preemptions limits the switches away from a task that could have gone on.
	Preemptions
	// All limits nothing.
	All
)

// String is the form used in reports: "all", "delays<=2", "preemptions<=2",
// "sampled".
func (c Coverage) String() string {
	switch c.Bound {
	case All:
		return "all"
	case Delays:
		return fmt.Sprintf("delays<=%d", c.N)
	case Preemptions:
		return fmt.Sprintf("preemptions<=%d", c.N)
	}
	return "sampled"
}

// ParseCoverage reads what String printed.
func ParseCoverage(s string) (Coverage, error) {
	switch s {
	case "all":
		return Coverage{Bound: All}, nil
	case "sampled":
		return Coverage{}, nil
	}
	for prefix, b := range map[string]Bound{"delays<=": Delays, "preemptions<=": Preemptions} {
		if num, ok := strings.CutPrefix(s, prefix); ok {
			if n, err := strconv.Atoi(num); err == nil && n >= 0 {
				return Coverage{b, n}, nil
			}
		}
	}
	return Coverage{}, fmt.Errorf("coverage %q: want all, sampled, delays<=N or preemptions<=N", s)
}

// Reaches tells whether having covered c fulfils the promise p. Coverages by
// different measures do not compare.
func (c Coverage) Reaches(p Coverage) bool {
	switch {
	case c.Bound == All || p.Bound == Sampled:
		return true
	case c.Bound == p.Bound:
		return c.N >= p.N
	}
	return false
}
