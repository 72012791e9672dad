package main

import (
	"dmasim/sim/explore"
)

// strategyInfo describes a strategy for people.
type strategyInfo struct {
	doc string
	// sampler is set if the strategy draws runs by its seed, and never ends.
	sampler bool
}

var strategyDocs = map[string]strategyInfo{
	"random": {"uniform random walk: every enabled task is equally likely at every step", true},
	"pct":    {"random priorities with few random changes (probabilistic concurrency testing)", true},
	"pos":    {"random priorities, drawn anew for operations that race (partial-order sampling)", true},
	"surw":   {"random, with interleavings as equally likely as can be (selectively uniform random walk)", true},
	"dfs":    {"every schedule within the promised bound, those with the fewest delays or preemptions first", false},
	"dpor":   {"one schedule of each set that differs only in the order of operations that commute", false},
}

// sampleBudget is how many executions a sampling strategy gets for each case if
// nobody says.
const sampleBudget = 10_000

// defaultStrategy reaches the promise by the simplest means.
func defaultStrategy(promised explore.Coverage) string {
	switch promised.Bound {
	case explore.Sampled:
		return "random"
	case explore.All:
		return "dpor"
	}
	return "dfs"
}
