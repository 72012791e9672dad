// Package draw makes schedules for rapid, which draws programs and workloads at random
// and makes what fails smaller.
//
//	m := sim.NewMachine()
//	defer m.Close()
//	rapid.Check(t, func(rt *rapid.T) {
//		w := drawWorkload(rt)
//		draw.Fail(rt, draw.Run(rt, m, program(w), draw.Schedule(6, 30)))
//	})
//
// # Why schedules are drawn like this
//
// A schedule is drawn as a sparse list of departures from the run-to-block default, so
// that leaving something out is a small change and the empty list means something: what
// rapid arrives at has as few preemptions as the failure needs. Drawing the next task
// at every step does not shrink: leaving out one step gives all others to other tasks.
//
// # Why failures are values
//
// rapid takes two failures for the same one if they have the same traceback. Panics that
// leave a coroutine all have the same, so that while one bug is made smaller it would
// be exchanged for another. A run of the machine returns its failure as a value, and Fail
// raises each kind of failure with a traceback of its own.
//
// For the same reason, and because what panics inside a task is a failure of the program,
// a property draws before the run: a task must not call methods of the *rapid.T.
package draw

import (
	"hash/fnv"

	"pgregory.net/rapid"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// Plan is a schedule as it is drawn.
type Plan struct {
	// Nudges are the departures from the default rule, in order of steps.
	Nudges []explore.Nudge
	// Values are those of the first choices of the run; the others are 0.
	Values []int
}

// Strategy returns the strategy of one run that follows the plan.
func (p Plan) Strategy() *explore.Nudges { return &explore.Nudges{List: p.Nudges, Values: p.Values} }

// most is the largest number of tasks that are passed over at once, and the largest
// value of a choice. Both are taken modulo what there is.
const most = 7

// Schedule draws plans with at most maxNudges departures, and as many values that are
// not 0, each at most maxGap steps, or choices, after the one before. maxGap need not be
// the length of a run: gaps add up.
//
// Among the departures that are drawn are some by 0, which are left out of the plan: so
// rapid can take one away without moving those after it, which taking an element out
// of the list would.
func Schedule(maxNudges, maxGap int) *rapid.Generator[Plan] {
	list := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) departure {
		return departure{
			gap:    rapid.IntRange(1, maxGap).Draw(rt, "gap"),
			amount: rapid.IntRange(0, most).Draw(rt, "amount"),
		}
	}), 0, maxNudges)
	return rapid.Custom(func(rt *rapid.T) Plan {
		var p Plan
		step := 0
		for _, d := range list.Draw(rt, "nudges") {
			step += d.gap
			if d.amount > 0 {
				p.Nudges = append(p.Nudges, explore.Nudge{Step: step, Delay: d.amount})
			}
		}
		choice := 0
		for _, d := range list.Draw(rt, "values") {
			choice += d.gap
			if d.amount > 0 {
				p.Values = append(append(p.Values, make([]int, choice-len(p.Values)-1)...), d.amount)
			}
		}
		return p
	})
}

type departure struct{ gap, amount int }

// Run draws a plan from g and runs body once. The result is valid until the next run of
// m; it belongs into Fail, at the latest when the property has looked at it.
func Run(rt *rapid.T, m *sim.Machine, body func(*sim.Task), g *rapid.Generator[Plan]) *sim.Result {
	rt.Helper()
	return m.Run(g.Draw(rt, "schedule").Strategy(), body)
}

// Fail fails the property with the failure of the run, and its schedule, which
// [sim.ParseSchedule] and explore.Check read. It does nothing if the run has no failure.
// rapid does not take failures of different kinds for one.
func Fail(rt *rapid.T, r *sim.Result) {
	rt.Helper()
	if r.Failure == nil {
		return
	}
	schedule := r.Schedule().String()
	if schedule == "" {
		schedule = "the default one"
	}
	text := r.Failure.Error() + "\n"
	for _, d := range r.Failure.Detail {
		text += "  " + d + "\n"
	}
	h := fnv.New32a()
	h.Write([]byte(r.Failure.Kind))
	raise(rt, h.Sum32(), digits, text+"schedule: "+schedule)
}

// digits is enough for kinds to differ, and few enough for all of them to be among the
// frames that rapid compares, which are 32.
const digits = 12

// raise calls Fatalf with a traceback that spells the number in base 4. The set of kinds
// is open, so there cannot be a line for each; there is one for each digit.
func raise(rt *rapid.T, number uint32, digits int, text string) {
	rt.Helper()
	if digits == 0 {
		rt.Fatalf("%s", text)
	}
	switch number & 3 {
	case 0:
		raise(rt, number>>2, digits-1, text)
	case 1:
		raise(rt, number>>2, digits-1, text)
	case 2:
		raise(rt, number>>2, digits-1, text)
	case 3:
		raise(rt, number>>2, digits-1, text)
	}
}
