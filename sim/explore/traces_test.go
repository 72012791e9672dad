package explore_test

import (
	"hash/fnv"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// traceOf is a hash of the Mazurkiewicz trace of the last run: equal for two runs
// if they differ in the order of independent events only. Each event is hashed
// with all that happens before it; the order in which the events are added up
// does not matter.
func traceOf(m *sim.Machine) uint64 {
	events := m.Events()
	cone := make([]uint64, len(events))
	type access struct {
		obj   *sim.Object
		class sim.Class
	}
	touched := make([][]access, len(events))
	lastOf := map[*sim.Task]int{}
	total := uint64(0)
	for i := range events {
		e := &events[i]
		if e.Obj != nil {
			touched[i] = append(touched[i], access{e.Obj, e.Class})
		}
		for _, a := range m.Extra(e) {
			touched[i] = append(touched[i], access{a.Obj, a.Class})
		}
		label := fnv.New64a()
		label.Write([]byte(e.Verb))
		h := label.Sum64() ^ e.Task.Key()*3 + uint64(e.Value)*7
		for _, a := range touched[i] {
			h = scramble(h ^ a.obj.Key() + uint64(a.class))
		}
		prev, ok := lastOf[e.Task]
		if !ok {
			prev = e.Task.Born() - 1
		}
		if prev >= 0 {
			h = scramble(h ^ cone[prev])
		}
		if e.Joins != nil {
			if k, ok := lastOf[e.Joins]; ok {
				h = scramble(h ^ cone[k])
			}
		}
		sum := uint64(0)
		for k := range i {
			if conflict := func() bool {
				for _, a := range touched[i] {
					for _, b := range touched[k] {
						if a.obj == b.obj && a.class.Conflicts(b.class) {
							return true
						}
					}
				}
				return false
			}(); conflict {
				sum += scramble(cone[k])
			}
		}
		h = scramble(h ^ sum)
		cone[i] = h
		lastOf[e.Task] = i
		if e.Task.Parent() != nil {
			total += scramble(h)
		}
	}
	return total
}

func scramble(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// seen is what a strategy saw of a program.
type seen struct {
	executions, abandoned, steps int
	exhausted                    bool
	// traces maps each trace to the number of its executions.
	traces    map[uint64]int
	states    map[string]bool
	deadlocks map[uint64]bool
	failures  map[sim.Kind]int
}

// enumerate runs the strategy to its end, or for limit executions.
func enumerate(s explore.Strategy, p program, limit int) *seen {
	m := sim.NewMachine()
	defer m.Close()
	r := &seen{traces: map[uint64]int{}, states: map[string]bool{}, deadlocks: map[uint64]bool{}, failures: map[sim.Kind]int{}}
	state := ""
	body := func(t *sim.Task) { p(t, &state) }
	for {
		state = ""
		res := m.Run(s, body)
		r.steps += res.Steps
		if res.Abandoned {
			r.abandoned++
		} else {
			r.executions++
			tr := traceOf(m)
			r.traces[tr]++
			if res.Failure != nil {
				r.failures[res.Failure.Kind]++
				if res.Failure.Kind.Hangs() {
					r.deadlocks[tr] = true
				}
			} else {
				r.states[state] = true
			}
		}
		if !s.Done(res) {
			r.exhausted = true
			return r
		}
		if r.executions+r.abandoned >= limit {
			return r
		}
	}
}
