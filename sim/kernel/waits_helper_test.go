package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/internal/simtest"
	"dmasim/sim"
	"dmasim/sim/explore"
)

// results collects what the runs of a search say, a failure being its kind, and how many
// runs that took.
func results(t *testing.T, s sim.Strategy, body func(k *Task, say func(format string, args ...any))) (map[string]bool, int) {
	t.Helper()
	out, n, ok := collect(s, body, 200_000)
	require.True(t, ok, "too many runs")
	for _, k := range []sim.Kind{sim.Misuse, sim.Nondeterminism, sim.NoSchedulingPoints} {
		require.NotContains(t, out, string(k))
	}
	return out, n
}

// collect tells whether the search came to its end within a number of runs.
func collect(s sim.Strategy, body func(k *Task, say func(format string, args ...any)), limit int) (map[string]bool, int, bool) {
	return on.Ends(s, limit, body, func(f *sim.Failure) string { return string(f.Kind) })
}

// gives checks what the interleavings of a program can come to: all of them, and one of
// each trace.
func gives(t *testing.T, want map[string]bool, body func(k *Task, say func(format string, args ...any))) {
	t.Helper()
	all, _ := results(t, simtest.Within(explore.All, 0), body)
	require.Equal(t, want, all)
	reduced, _ := results(t, explore.NewDPOR(), body)
	require.Equal(t, all, reduced, "dpor")
}

// givesMostly is gives for what has too many interleavings: one of each trace, and those
// with few delays.
func givesMostly(t *testing.T, want map[string]bool, body func(k *Task, say func(format string, args ...any))) {
	t.Helper()
	reduced, _ := results(t, explore.NewDPOR(), body)
	require.Equal(t, want, reduced)
	some, _ := results(t, simtest.Within(explore.Delays, 4), body)
	for said := range some {
		require.Contains(t, want, said)
	}
}
