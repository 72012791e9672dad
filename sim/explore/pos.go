package explore

import (
	"math/rand/v2"

	"dmasim/sim"
)

// POS is partial order sampling (Yuan, Yang and Gu, "Partial Order Aware
// Concurrency Sampling", CAV 2018, section 4): every announced operation has a
// random priority, and the enabled one with the highest runs. The announced
// operations that race with it then draw new priorities, so that the order of two
// operations that race does not depend on the order of those before them.
type POS struct {
	seed, run, stride uint64
	pcg               rand.PCG
	// priority is that of the operation that each task has announced, 0 if it
	// has to be drawn.
	priority []uint64
	last     int // the event that was granted last, -1 at the start
}

// NewPOS returns the sampler. It never ends by itself. Run number i depends on the
// seed and i alone.
func NewPOS(seed uint64) *POS {
	return &POS{seed: seed, stride: 1, pcg: *rand.NewPCG(seed, 0), last: -1}
}

// Fork returns a sampler for some of the runs.
func (p *POS) Fork(first, stride uint64) Sampler {
	run := p.run + first*p.stride
	return &POS{seed: p.seed, run: run, stride: stride * p.stride, pcg: *rand.NewPCG(p.seed, run), last: -1}
}

func (p *POS) Name() string      { return "pos" }
func (p *POS) Covered() Coverage { return Coverage{} }

func (p *POS) Next(at *sim.Point) *sim.Task {
	m := at.Current.Machine()
	tasks := m.Tasks()
	if p.last >= 0 {
		e := &at.Events()[p.last]
		p.priority[e.Task.Index()] = 0
		for i, t := range tasks[:len(p.priority)] {
			if op, ok := t.Pending(); ok && op.Obj != nil && races(m, e, op) {
				p.priority[i] = 0
			}
		}
	}
	for len(p.priority) < len(tasks) {
		p.priority = append(p.priority, 0)
	}
	var best *sim.Task
	for _, t := range at.Enabled {
		i := t.Index()
		if p.priority[i] == 0 {
			p.priority[i] = p.pcg.Uint64() | 1
		}
		if best == nil || p.priority[i] > p.priority[best.Index()] {
			best = t
		}
	}
	p.last = len(at.Events())
	return best
}

// races tells whether an announced operation conflicts with an event.
func races(m *sim.Machine, e *sim.Event, op sim.Op) bool {
	if reaches(op, e.Obj, e.Class) {
		return true
	}
	for _, a := range m.Extra(e) {
		if reaches(op, a.Obj, a.Class) {
			return true
		}
	}
	return false
}

// reaches tells whether an announced operation conflicts with an access.
func reaches(op sim.Op, o *sim.Object, c sim.Class) bool {
	return o != nil && (o == op.Obj && c.Conflicts(op.Class) || o == op.Also && c.Conflicts(sim.Read))
}

func (p *POS) Choose(t *sim.Task, n int) int { return below(&p.pcg, n) }

func (p *POS) Done(*sim.Result) bool {
	p.run += p.stride
	p.pcg.Seed(p.seed, p.run)
	p.priority, p.last = p.priority[:0], -1
	return true
}
