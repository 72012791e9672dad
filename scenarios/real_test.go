//go:build linux

package scenarios_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"dmasim/scenarios"
	"dmasim/sim/explore"
	"dmasim/uringsim/realhw"
)

// onReal opens the real path for a test, or skips it, naming what is missing.
func onReal(t testing.TB, overlap bool) *realhw.Backend {
	t.Helper()
	b, err := realhw.Open(realhw.Options{Dir: t.TempDir(), Overlap: overlap})
	for _, missing := range []error{unix.ENOSYS, unix.EPERM, unix.EACCES, unix.ENOMEM, unix.ENOSPC} {
		if errors.Is(err, missing) {
			t.Skip(err)
		}
	}
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, b.Err())
		require.NoError(t, b.Close())
	})
	return b
}

// Every scenario says the same of every design, run by run, whether its bytes are real or
// not.
func TestRealBytesChangeNothing(t *testing.T) {
	b := onReal(t, false)
	for _, s := range scenarios.All() {
		for _, d := range scenarios.Designs() {
			c, err := scenarios.NewCase(s, d, 0)
			require.NoError(t, err)
			report := func(c scenarios.Case) *explore.Report {
				r := explore.Run(t.Context(), c.Program(), explore.NewRandom(7), explore.Options{Executions: 20 * scale(), CountTraces: true})
				if r.Found != nil {
					r.Found.Machine.Close()
				}
				return r
			}
			model := report(c)
			c.Real = b
			real := report(c)
			require.Equal(t, [...]int{model.Executions, model.Steps, model.Traces}, [...]int{real.Executions, real.Steps, real.Traces}, s.Name+" "+d.Name)
			if f, g := model.Found, real.Found; f != nil || g != nil {
				require.NotNil(t, f, s.Name+" "+d.Name)
				require.NotNil(t, g, s.Name+" "+d.Name)
				t.Log(g.Failure)
				require.Equal(t, f.Failure.Kind, g.Failure.Kind, g.Failure)
				require.Equal(t, f.Schedule, g.Schedule)
				require.Equal(t, []any{f.Hash, f.Fingerprint, f.Execution}, []any{g.Hash, g.Fingerprint, g.Execution})
			}
		}
	}
	t.Log(b.Note())
	t.Logf("%+v", b.Moved())
	require.NotZero(t, b.Moved().Requests)
}
