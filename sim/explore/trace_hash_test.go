package explore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// TestTracesTellTheSameApart compares the library's hashes of traces with those of the
// test, which are made in another, slower way: two runs are of one trace for both or
// for none.
func TestTracesTellTheSameApart(t *testing.T) {
	for _, p := range []program{readers(3), writers(3), mutexCounter(3), sb(3), philosophers(3), cas(3), lastZero(3)} {
		m := sim.NewMachine()
		defer m.Close()
		var traces explore.Traces
		s := explore.NewDFS(explore.Coverage{Bound: explore.All})
		there, back := map[uint64]uint64{}, map[uint64]uint64{}
		for range 5_000 {
			var state string
			r := m.Run(s, func(t *sim.Task) { p(t, &state) })
			a, b := traceOf(m), traces.Of(m)
			if old, ok := there[a]; ok {
				require.Equal(t, old, b, "one trace, two hashes")
			}
			if old, ok := back[b]; ok {
				require.Equal(t, old, a, "two traces, one hash")
			}
			there[a], back[b] = b, a
			if !s.Done(r) {
				break
			}
		}
		require.Greater(t, len(there), 1)
	}
}
