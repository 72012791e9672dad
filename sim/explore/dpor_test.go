package explore_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
)

type reference struct {
	name   string
	p      program
	traces int
	// raw is set if all interleavings can be run as well.
	raw bool
	// long is left out by -short.
	long bool
}

func factorial(n int) int {
	if n < 2 {
		return 1
	}
	return n * factorial(n-1)
}

// references is the table of programs with known numbers of traces.
func references() []reference {
	var out []reference
	add := func(name string, n int, p program, traces int, raw bool) {
		out = append(out, reference{name: fmt.Sprintf("%s-%d", name, n), p: p, traces: traces, raw: raw, long: traces > 5000})
	}
	for _, n := range []int{1, 2, 3, 4, 8, 10} {
		add("readers", n, readers(n), 1<<n, n <= 3)
	}
	for n := 1; n <= 7; n++ {
		add("writers", n, writers(n), factorial(n), n <= 3)
	}
	for n := 1; n <= 6; n++ {
		add("writers and reader", n, writersReader(n), factorial(n+1), n <= 2)
	}
	for n := 2; n <= 7; n++ {
		add("mutex counter", n, mutexCounter(n), factorial(n), n <= 2)
	}
	for _, n := range []int{1, 2, 3, 4, 5, 6, 8, 10} {
		want := 2
		if n > 1 {
			want = (n + 3) << (n - 2)
		}
		add("lastzero", n, lastZero(n), want, n <= 2)
	}
	for n, want := 11, 1; n <= 15; n, want = n+1, want*8 {
		add("indexer", n, indexer(n), want, false)
	}
	for n, want := 13, 1; n <= 20; n, want = n+1, want*2 {
		add("filesystem", n, filesystem(n), want, false)
	}
	for n := 2; n <= 4; n++ {
		add("inc", n, inc(n), factorial(n)*factorial(n), n <= 2)
	}
	for n := 2; n <= 10; n++ {
		add("sb", n, sb(n), 1<<n-1, n <= 3)
		add("philosophers", n, philosophers(n), 1<<n-1, n <= 2)
	}
	for n := 2; n <= 8; n++ {
		add("cas", n, cas(n), n, n <= 4)
	}
	for n := 2; n <= 6; n++ {
		add("cas that always conflicts", n, casAlways(n), factorial(n), n <= 4)
	}
	add("SB", 1, litmus("Wx Ry", "Wy Rx"), 3, true)
	add("LB", 1, litmus("Rx Wy", "Ry Wx"), 3, true)
	add("MP", 1, litmus("Wx Wy", "Ry Rx"), 3, true)
	add("S", 1, litmus("Wx Wy", "Ry Wx"), 3, true)
	add("2+2W", 1, litmus("Wx Wy", "Wy Wx"), 3, true)
	for _, c := range [][3]int{{2, 2, 6}, {2, 3, 20}, {2, 4, 70}, {3, 2, 90}, {3, 3, 1680}, {3, 4, 34650}} {
		add(fmt.Sprintf("lock-%dx%d", c[0], c[1]), 1, lockNK(c[0], c[1]), c[2], c[0]+c[1] <= 4)
		add(fmt.Sprintf("rmw-%dx%d", c[0], c[1]), 1, rmwNK(c[0], c[1]), c[2], c[0]+c[1] <= 5)
	}
	add("ring-2x4", 1, ringNP(2, 4), 13, true)
	add("indep-3x6", 1, indepNK(3, 6), 1, false)
	return out
}

func TestDPORReference(t *testing.T) {
	for _, ref := range references() {
		t.Run(ref.name, func(t *testing.T) {
			if ref.long && testing.Short() {
				t.Skip("long")
			}
			d := explore.NewDPOR()
			got := enumerate(d, ref.p, 1_000_000)
			t.Logf("%d executions, %d blocked, %d steps", got.executions, d.Blocked(), got.steps)
			require.True(t, got.exhausted)
			require.Equal(t, explore.Coverage{Bound: explore.All}, d.Covered())
			require.Equal(t, ref.traces, got.executions, "executions")
			require.Len(t, got.traces, ref.traces, "distinct traces")
			if !ref.raw {
				return
			}
			all := enumerate(explore.NewDFS(explore.Coverage{Bound: explore.All}), ref.p, 1_000_000)
			require.True(t, all.exhausted)
			require.Equal(t, keys(all.traces), keys(got.traces))
			require.Equal(t, all.states, got.states)
			require.Equal(t, all.deadlocks, got.deadlocks)
		})
	}
}

func keys(m map[uint64]int) map[uint64]bool {
	out := map[uint64]bool{}
	for k := range m {
		out[k] = true
	}
	return out
}

func TestDPORPhilosophersDeadlockOnce(t *testing.T) {
	for n := 2; n <= 6; n++ {
		got := enumerate(explore.NewDPOR(), philosophers(n), 1000)
		require.Equal(t, map[sim.Kind]int{sim.Deadlock: 1}, got.failures, "%d philosophers", n)
	}
}
