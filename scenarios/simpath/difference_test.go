package simpath

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/kernel"
	"dmasim/uringsim/workload"
	"dmasim/uringsim/workload/draw"
)

// A path that differs in one thing is told from the right one by drawn workloads.
func TestDifferencesAreFound(t *testing.T) {
	t.Parallel()
	m := sim.NewMachine()
	defer m.Close()
	right := Options{Profile: kernel.RFCBase, Traits: regular, MemAlign: 512}
	for name, change := range map[string]func(*Options){
		"the tail is not cleared":      func(o *Options) { o.Traits.ZeroTail = false },
		"another version":              func(o *Options) { o.Profile = kernel.V6_12 },
		"any length":                   func(o *Options) { o.Traits.Strict = false },
		"larger blocks":                func(o *Options) { o.Traits.Block = 4096 },
		"addresses in larger units":    func(o *Options) { o.Profile, o.MemAlign = kernel.V7_3, 4096 },
		"a worker is cancelled or not": nil,
	} {
		t.Run(name, func(t *testing.T) {
			wrong := right
			if change == nil { // the same path: nothing is found
				for i := range 100 {
					w := draw.Workload(regular).Example(i)
					require.Empty(t, difference(w, "one", must(t, m, w, right), "other", must(t, m, w, right)))
				}
				return
			}
			change(&wrong)
			for i := range 2000 {
				w := draw.Workload(regular).Example(i)
				if w.Validate(wrong.Traits) == nil && difference(w, "right", must(t, m, w, right), "wrong", must(t, m, w, wrong)) != "" {
					return
				}
			}
			t.Fatal("2000 workloads show no difference")
		})
	}
}

func must(t *testing.T, m *sim.Machine, w *workload.Workload, o Options) *workload.Outcome {
	out, err := Run(m, sim.Default{}, w, o)
	require.NoError(t, err, "%s", w)
	return out
}
