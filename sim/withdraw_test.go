package sim_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

// A task that is withdrawn before it has begun never runs, and nobody waits for it.
func TestWithdraw(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	var obj sim.Object
	ran := ""
	r := m.Run(sim.Default{}, func(t0 *sim.Task) {
		t0.Own(&obj, "object", "o")
		never := func(name string) *sim.Task {
			return t0.Spawn(name, sim.Op{Verb: "run", Obj: &obj, Guard: blocked{}}, func(*sim.Task) { ran += name })
		}
		one := never("one")
		first := t0.Spawn("first", sim.Op{Verb: "run", Obj: &obj}, func(*sim.Task) { ran += "first" })
		t0.Go("task", func(s *sim.Task) {
			s.Join(first)
			s.Step(sim.Op{Verb: "withdraw", Obj: &obj})
			require.False(t, first.Withdraw(s), "it has run")
			require.False(t, one.Cancelled())
			require.True(t, one.Withdraw(s))
			require.True(t, one.Cancelled())
			require.False(t, one.Withdraw(s))
			s.Join(one)
		})
		t0.Explore()
	})
	require.Nil(t, r.Failure)
	require.Equal(t, "first", ran)
}

type blocked struct{}

func (blocked) Ready(*sim.Task) bool { return false }
