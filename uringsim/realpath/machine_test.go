//go:build linux

package realpath

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"dmasim/internal/simtest"
	"dmasim/uringsim/workload"
	"dmasim/uringsim/workload/draw"
)

// Drawn workloads give the bytes and errnos of the reference model. DMASIM_REAL=100
// runs a hundred times as many.
func TestWorkloads(t *testing.T) {
	needRing(t)
	before := simtest.OpenFds(t)
	dir := t.TempDir()
	probe, err := NewMachine(&workload.Workload{Buffers: 1, Size: 4096, File: 8192}, Options{Dir: dir})
	require.NoError(t, err)
	traits := probe.Traits()
	for _, note := range probe.Notes() {
		t.Log(note)
	}
	t.Logf("%+v", traits)
	require.NoError(t, probe.Close())

	runs, start := 0, time.Now()
	limited := false
	property := func(r *rapid.T) {
		w := draw.Workload(traits).Draw(r, "workload")
		back, err := workload.Parse(w.String())
		require.NoError(r, err)
		require.Equal(r, w.String(), back.String())
		out, traits, err := Run(back, Options{Dir: dir})
		if err != nil {
			r.Fatalf("%v\n%s", err, w)
		}
		if lowMemlock(t) && slices.ContainsFunc(out.Results, func(r workload.Result) bool { return r.Res == -int64(unix.ENOMEM) }) {
			limited = true
			return
		}
		if err := workload.Check(back, traits, out); err != nil {
			r.Fatal(err)
		}
		runs++
	}
	for range scale(t) {
		rapid.Check(t, property)
		if t.Failed() || time.Since(start) > 10*time.Minute {
			break
		}
	}
	t.Logf("%d workloads", runs)
	if limited {
		t.Skip("the limit of locked memory (RLIMIT_MEMLOCK) is too low for the others")
	}
	require.Equal(t, before, simtest.OpenFds(t))
}
