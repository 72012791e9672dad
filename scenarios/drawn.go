package scenarios

import (
	"strings"

	"dmasim/sim/explore"
)

// drawn is how the names of programs begin that are workloads.
const drawn = "workload:"

// Drawn makes a scenario of a workload. Its name is "workload:" and the text of the workload, so
// that a replay string has all of it. Nothing is expected to go wrong.
func Drawn(wl Workload) *Scenario {
	return &Scenario{
		Name: drawn + wl.String(),
		Story: "A workload that was drawn, or written down: tasks with a ring each transfer, and the exporters of their buffers are " +
			"at work meanwhile.",
		Quick:    explore.Coverage{Bound: explore.Delays, N: 1},
		Full:     explore.Coverage{Bound: explore.Delays, N: 2},
		body:     wl.body,
		workload: &wl,
	}
}

// findDrawn is the scenario of that name, if it is that of a workload.
func findDrawn(name string) (s *Scenario, is bool, err error) {
	text, is := strings.CutPrefix(name, drawn)
	if !is {
		return nil, false, nil
	}
	wl, err := ParseWorkload(text)
	return Drawn(wl), true, err
}
