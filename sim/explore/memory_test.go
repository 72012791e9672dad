package explore_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// TestConstantMemory does a million runs by sampling, and all that reduction needs of a
// larger program, on one machine: what is in use afterwards must not depend on how many
// there were.
func TestConstantMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("a million runs take seconds")
	}
	m := sim.NewMachine()
	defer m.Close()
	inUse := func() uint64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	for name, s := range map[string]explore.Strategy{"random": explore.NewRandom(1), "dfs": explore.NewDFS(explore.Coverage{Bound: explore.All})} {
		run := func(n int) {
			for range n {
				r := m.Run(s, bare(lockNK(2, 3)))
				require.Nil(t, r.Failure)
				if !s.Done(r) {
					s = explore.NewDFS(explore.Coverage{Bound: explore.All})
				}
			}
		}
		run(1_000)
		before := inUse()
		run(500_000)
		after := inUse()
		require.Less(t, float64(after), float64(before)+256<<10, "%s: %d bytes before, %d after", name, before, after)
	}
}
