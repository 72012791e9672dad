package scenarios

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is smaller makes sense, has something less, and one task can be left of any workload.
func TestSmaller(t *testing.T) {
	for n := range 200 {
		wl := (&Fuzz{Seed: 1}).Workload(n)
		text, alone := wl.String(), 0
		for _, s := range wl.smaller() {
			require.NoError(t, s.Validate(), "%v of %v", s, text)
			require.NotEqual(t, text, s.String())
			if len(s.Submitters) == 1 && len(wl.Submitters) > 1 {
				alone++
			}
		}
		require.Equal(t, text, wl.String(), "it has changed")
		if len(wl.Submitters) > 1 {
			require.Equal(t, len(wl.Submitters), alone, text)
		}
	}
}

// Nothing is smaller than the smallest workload, and shrinking ends there from anywhere.
func TestSmallest(t *testing.T) {
	for n := range 20 {
		wl := (&Fuzz{Seed: 2}).Workload(n)
		for list := wl.smaller(); len(list) > 0; list = wl.smaller() {
			wl = list[len(list)-1]
		}
		require.Contains(t, append(Acts(), "r0+1", "w0+1"), strings.TrimPrefix(wl.String(), "io="))
	}
}
