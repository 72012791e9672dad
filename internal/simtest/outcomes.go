package simtest

import (
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// Outcomes collects what the runs of all interleavings say, and fails the test if one of
// them fails. One schedule of every trace must say the same.
func (on On[B]) Outcomes(t T, body func(k B, say func(format string, args ...any))) map[string]bool {
	t.Helper()
	of := func(s sim.Strategy) map[string]bool {
		out, _, ok := on.Ends(s, limits.Executions, body, func(f *sim.Failure) string {
			t.Fatalf("%v\n%v", f, f.Detail)
			return ""
		})
		require.True(t, ok, "not exhausted")
		return out
	}
	all := of(Within(explore.All, 0))
	require.Equal(t, all, of(explore.NewDPOR()), "what DPOR sees")
	return all
}

// Ends collects what the runs of a strategy say, or what failed makes of their failures, and
// counts the runs. What was not declared is among it, so that nobody expects it. It also
// tells whether the strategy came to its end within a number of runs.
func (on On[B]) Ends(s sim.Strategy, limit int, body func(k B, say func(format string, args ...any)), failed func(*sim.Failure) string) (map[string]bool, int, bool) {
	m := sim.NewMachine()
	m.StepLimit = limits.StepLimit
	defer m.Close()
	out := map[string]bool{}
	d := NewDeclared(m, s)
	for n := 1; n <= limit; n++ {
		said := ""
		r := m.Run(d, on.Body(func(k B) {
			body(k, func(format string, args ...any) { said += fmt.Sprintf(format, args...) + " " })
		}))
		switch {
		case r.Abandoned:
		case r.Failure != nil:
			out[failed(r.Failure)] = true
		default:
			out[strings.TrimSpace(said)] = true
		}
		if d.Undeclared != "" {
			out["not declared: "+d.Undeclared] = true
		}
		if !s.Done(r) {
			return out, n, true
		}
	}
	return out, limit, false
}

// Set is what is compared with outcomes.
func Set(outcomes ...string) map[string]bool {
	set := map[string]bool{}
	for _, s := range outcomes {
		set[s] = true
	}
	return set
}
