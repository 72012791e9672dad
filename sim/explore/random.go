package explore

import (
	"math/rand/v2"

	"dmasim/sim"
)

// Random is the uniform random walk: at every point each enabled task is equally
// likely. Run number i depends on the seed and i alone.
type Random struct {
	seed, run, stride uint64
	pcg               rand.PCG
}

// NewRandom returns a random walk. It never ends by itself.
func NewRandom(seed uint64) *Random {
	return &Random{seed: seed, stride: 1, pcg: *rand.NewPCG(seed, 0)}
}

// Fork returns a walk for some of the runs.
func (r *Random) Fork(first, stride uint64) Sampler {
	run := r.run + first*r.stride
	return &Random{seed: r.seed, run: run, stride: stride * r.stride, pcg: *rand.NewPCG(r.seed, run)}
}

func (r *Random) Name() string      { return "random" }
func (r *Random) Covered() Coverage { return Coverage{} }

func (r *Random) Next(p *sim.Point) *sim.Task {
	if len(p.Enabled) == 1 {
		return p.Enabled[0]
	}
	return p.Enabled[below(&r.pcg, len(p.Enabled))]
}

func (r *Random) Choose(t *sim.Task, n int) int { return below(&r.pcg, n) }

func (r *Random) Done(*sim.Result) bool {
	r.run += r.stride
	r.pcg.Seed(r.seed, r.run)
	return true
}

// below draws from [0,n) by multiplication; the bias is below n/2^32.
func below(pcg *rand.PCG, n int) int {
	return int(uint64(uint32(pcg.Uint64())) * uint64(n) >> 32)
}
