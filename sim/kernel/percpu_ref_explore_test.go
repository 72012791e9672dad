package kernel

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// endings are what the runs of a strategy come to: what they say, or the kind of failure.
func endings(m *sim.Machine, s explore.Strategy, body func(k *Task) string) map[string]bool {
	out := map[string]bool{}
	for {
		said := ""
		r := m.Run(s, on.Body(func(k *Task) { said = body(k) }))
		if r.Failure != nil {
			said = string(r.Failure.Kind)
		}
		if !r.Abandoned {
			out[said] = true
		}
		if !s.Done(r) {
			return out
		}
	}
}

// Two operations of one task and one of another, in every combination: leaving out what
// only commutes loses no ending.
func TestPercpuRefReduction(t *testing.T) {
	if testing.Short() {
		t.Skip("a thousand explorations")
	}
	ops := []func(r *pref, k *Task) string{
		func(r *pref, k *Task) string { r.Put(k); return "" },
		func(r *pref, k *Task) string {
			r.KillAndConfirm(k, func(k *Task) { k.Step(opStep) })
			return ""
		},
		func(r *pref, k *Task) string { return fmt.Sprint(r.TrygetLive(k)) },
		func(r *pref, k *Task) string { r.SwitchToAtomic(k, nil); return "" },
		func(r *pref, k *Task) string { r.SwitchToPercpu(k); return "" },
		func(r *pref, k *Task) string { r.Resurrect(k); return "" },
		func(r *pref, k *Task) string { return fmt.Sprint(r.IsZero(k)) },
		func(r *pref, k *Task) string { k.Step(opStep); r.Exit(k); return "" },
	}
	m := sim.NewMachine()
	defer m.Close()
	many := 0
	for _, flags := range []RefFlags{RefAllowReinit, RefInitAtomic} {
		for i := range ops {
			for j := range ops {
				for l := range ops {
					body := func(k *Task) string {
						r := newPrefFlags(k, flags)
						r.Get(k)
						var a, b string
						k.Go("a", func(k *Task) { a = ops[i](r, k) + ops[j](r, k) })
						k.Go("b", func(k *Task) { b = ops[l](r, k) })
						k.Explore()
						defer func() { r.data = nil }() // no leak
						return fmt.Sprint(a, b, r.Count(), r.atomic, r.dead, r.released)
					}
					all := endings(m, explore.NewDFS(explore.Coverage{Bound: explore.All}), body)
					require.Equal(t, all, endings(m, explore.NewDPOR(), body), "flags %d: %d %d, %d", flags, i, j, l)
					if len(all) > 1 {
						many++
					}
				}
			}
		}
	}
	require.Greater(t, many, 300, "there was nothing to lose")
}
