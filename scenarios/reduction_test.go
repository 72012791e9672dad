package scenarios_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/scenarios"
	"dmasim/sim"
	"dmasim/sim/explore"
)

// TestReductionLosesNothing holds dpor to its word on the scenarios: no sampled run shows
// a trace that dpor did not run. It would if an operation failed to declare an access.
func TestReductionLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("every interleaving of every scenario, and as many samples")
	}
	samples := 150 * scale()
	for _, s := range scenarios.All() {
		for _, d := range scenarios.Designs() {
			c := newCase(t, s.Name, d.Name, 0)
			if c.Expected() != nil || !feasible(c) {
				continue
			}
			t.Run(s.Name+"/"+d.Name, func(t *testing.T) {
				t.Parallel()
				m := sim.NewMachine()
				defer m.Close()
				var traces explore.Traces
				known := map[uint64]int{}
				dpor := explore.NewDPOR()
				for more := true; more; {
					r := m.Run(dpor, c.Program())
					require.Nil(t, r.Failure)
					if !r.Abandoned {
						known[traces.Of(m)]++
					}
					more = dpor.Done(r)
				}
				require.Equal(t, explore.All, dpor.Covered().Bound)
				for _, s := range []explore.Strategy{explore.NewRandom(3), explore.NewPOS(3), explore.NewPCT(3, 3), explore.NewSURW(3)} {
					seen := map[uint64]bool{}
					for range samples {
						r := m.Run(s, c.Program())
						require.Nil(t, r.Failure)
						h := traces.Of(m)
						require.Contains(t, known, h, "a trace that dpor did not run: %s", r.Schedule())
						seen[h] = true
						s.Done(r)
					}
					t.Logf("%d traces, %d of them seen in %d runs by %s", len(known), len(seen), samples, s.Name())
				}
			})
		}
	}
}
