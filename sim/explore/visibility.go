package explore

import (
	"maps"
	"math/rand/v2"

	"dmasim/sim"
)

// probes is the number of runs that look for private objects before an exploration.
const probes = 24

// visibility keeps what is known about which objects are private to a task, and so
// need no scheduling points. The probes guess; every run of the exploration checks
// (sim.Machine.Exposed), and a wrong guess is taken back.
type visibility struct {
	private map[uint64]bool
}

// discover guesses from runs under the default rule and a random walk. What they find
// otherwise is not their business: if there is something to find, the exploration does.
func discover(m *sim.Machine, body func(*sim.Task)) *visibility {
	v := &visibility{private: map[uint64]bool{}}
	m.Hide(nil)
	m.Run(sim.Default{}, body)
	m.Private(v.private)
	seed := rand.New(rand.NewPCG(1, 2))
	for range probes {
		m.Run(NewRandom(seed.Uint64()), body)
		m.Private(v.private)
	}
	m.Hide(v.private)
	// What the hiding itself brings to light is cheaper to learn now than later.
	for range probes {
		m.Run(NewRandom(seed.Uint64()), body)
		v.revise(m)
	}
	return v
}

// clone is the same knowledge for another machine, to which it is told.
func (v *visibility) clone(m *sim.Machine) *visibility {
	if v == nil {
		return nil
	}
	c := &visibility{private: maps.Clone(v.private)}
	m.Hide(c.private)
	return c
}

// revise takes back what the last run showed to be wrong, and tells whether there was
// anything.
func (v *visibility) revise(m *sim.Machine) bool {
	exposed := m.Exposed()
	for _, key := range exposed {
		v.private[key] = false
	}
	return len(exposed) > 0
}

// restarter is a strategy whose promise depends on every run having had the same
// scheduling points.
type restarter interface {
	// Restart forgets everything: the exploration begins anew.
	Restart()
}

// Restart forgets everything.
func (d *DPOR) Restart() { *d = *NewDPOR() }
