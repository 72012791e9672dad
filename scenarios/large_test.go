package scenarios_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dmasim/scenarios"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/token"
)

const (
	largeTasks  = 64
	largePerOne = 16 // transfers of each task: 1,024 together
	largeMoves  = 12
)

// TestLarge runs many tasks that do some thousand transfers, against every kind of exporter, with
// rings of every mode, with and without memory pressure, under schedules that are drawn. Nothing
// of it can be exhausted; it is for what only shows where much goes on at the same time.
//
// In one round each kind of exporter meets one design and one mode. DMASIM_CHECKS is the number of
// rounds: after 15 all have met all.
func TestLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("each run has some ten thousand operations")
	}
	names := []string{"drain", "toy", "rfc-v2-repaired"}
	for n, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := scenarios.FindDesign(name)
			require.NoError(t, err)
			m := newLarge()
			defer m.Close()
			runs, steps, begin := 0, 0, time.Now()
			for round := range scale() {
				for i, exporter := range scenarios.Exporters() {
					if (round+i)%len(names) != n {
						continue
					}
					seed := uint64(round*100 + i)
					modes := scenarios.RingModes()
					w := large(rand.New(rand.NewPCG(seed, 1)), exporter, modes[(round/len(names)+i)%len(modes)])
					r := m.Run(largeStrategy(seed), scenarios.Program(d, 0, w))
					if r.Failure != nil {
						t.Fatalf("round %d, seed %d, %s, %s: %v\n%v", round, seed, w.Exporter, w.Mode, r.Failure, r.Failure.Detail)
					}
					runs++
					steps += r.Steps
				}
			}
			spent := time.Since(begin).Seconds()
			t.Logf("%d runs of %d transfers by %d tasks: %.0f transfers/s, %.0f operations/s, %d operations a run",
				runs, largeTasks*largePerOne, largeTasks, float64(runs*largeTasks*largePerOne)/spent, float64(steps)/spent, steps/runs)
		})
	}
}

func newLarge() *sim.Machine {
	m := sim.NewMachine()
	m.StepLimit = 2_000_000
	return m
}

// TestLargeFindsTheRace is the same with the posted design and all of its repairs but that of the
// race, which must fall.
func TestLargeFindsTheRace(t *testing.T) {
	if testing.Short() {
		t.Skip("each run has some ten thousand operations")
	}
	d, err := scenarios.FindDesign("rfc-v2")
	require.NoError(t, err)
	m := newLarge()
	defer m.Close()
	for seed := range uint64(40) {
		w := large(rand.New(rand.NewPCG(seed, 1)), "evict-blocking", "default")
		r := m.Run(largeStrategy(seed), scenarios.Program(d, token.AllFixes()&^token.FixPublishUnderResv, w))
		if r.Failure != nil {
			require.Contains(t, []sim.Kind{hw.StaleDMA, hw.IOMMUFault}, r.Failure.Kind, r.Failure)
			t.Logf("seed %d: %v", seed, r.Failure)
			return
		}
	}
	t.Fatal("no run has shown the race")
}

// largeStrategy is a random walk, SURW, or PCT.
func largeStrategy(seed uint64) explore.Strategy {
	switch {
	case seed%6 == 1: // it costs most with many tasks
		return explore.NewPCT(seed, 10)
	case seed%2 == 1:
		return explore.NewSURW(seed)
	}
	return explore.NewRandom(seed)
}

// large draws a workload.
func large(rng *rand.Rand, exporter, mode string) scenarios.Workload {
	w := scenarios.Workload{
		Exporter: exporter, Mode: mode, Moves: largeMoves,
		Buffers: 1 + rng.IntN(3), Clones: largeTasks - 1 - rng.IntN(8),
		Reuse: rng.IntN(2) == 0, Neighbour: rng.IntN(3) == 0 && exporter != "refusing", Warm: rng.IntN(2) == 0,
		Drive: scenarios.Drive{Tags: 1 + rng.IntN(16), Batch: rng.IntN(2) == 0},
	}
	switch rng.IntN(4) {
	case 0:
		w.Reclaims = 2
	case 1:
		w.Reclaims, w.Failures = 1, 1
	}
	for range largeTasks {
		s := scenarios.Submitter{AtOnce: rng.IntN(4) == 0}
		for range largePerOne {
			start := rng.IntN(16)
			s.Transfers = append(s.Transfers, scenarios.Transfer{
				Write: rng.IntN(2) == 0, Start: start, Len: 1 + rng.IntN(16-start), Lba: rng.IntN(16),
			})
		}
		w.Submitters = append(w.Submitters, s)
	}
	return w
}
