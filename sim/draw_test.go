package sim_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/internal/simtest"
	"dmasim/sim"
	"dmasim/sim/explore"
)

var plain = simtest.On[*sim.Task](func(t *sim.Task) *sim.Task { return t })

// What is drawn is drawn before anything else of the explored phase happens, tasks that
// were spawned during set-up included, and once per run.
func TestDraw(t *testing.T) {
	type pair struct{ first, second int }
	var p pair
	body := func(k *sim.Task) {
		p = pair{}
		drawn := false
		k.Draw(func() {
			p.first = k.Choose(2, "first")
			drawn = true
		})
		k.Draw(func() {
			if p.first == 1 {
				p.second = k.Choose(3, "second")
			}
		})
		for _, name := range []string{"a", "b"} {
			k.Spawn(name, sim.Op{Verb: "run"}, func(k *sim.Task) { require.True(t, drawn) })
		}
		require.False(t, drawn)
		k.Explore()
	}
	explored := func(s explore.Strategy) map[pair]int {
		m := sim.NewMachine()
		defer m.Close()
		got := map[pair]int{}
		for more := true; more; {
			r := m.Run(s, body)
			require.Nil(t, r.Failure)
			got[p]++
			more = s.Done(r)
		}
		return got
	}
	each := func(n int) map[pair]int { return map[pair]int{{0, 0}: n, {1, 0}: n, {1, 1}: n, {1, 2}: n} }
	require.Equal(t, each(1), explored(explore.NewDPOR()), "no draw is repeated for the sake of an order")
	require.Equal(t, each(2), explored(explore.NewDFS(explore.Coverage{Bound: explore.All})))
	plain.Survives(t, explore.NewDPOR(), body)

	plain.Fails(t, sim.Misuse, "Draw is called by the first task", func(k *sim.Task) {
		k.Go("one", func(k *sim.Task) { k.Draw(func() {}) })
		k.Explore()
	})
}
