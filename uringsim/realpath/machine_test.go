//go:build linux

package realpath

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/uringsim/workload"
	"dmasim/uringsim/workload/draw"
)

// Drawn workloads give the bytes and errnos of the reference model. DMASIM_REAL=100
// runs a hundred times as many.
func TestWorkloads(t *testing.T) {
	needRing(t)
	before := openFds(t)
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
	property := func(r *rapid.T) {
		w := draw.Workload(traits).Draw(r, "workload")
		back, err := workload.Parse(w.String())
		require.NoError(r, err)
		require.Equal(r, w.String(), back.String())
		out, traits, err := Run(back, Options{Dir: dir})
		if err != nil {
			r.Fatalf("%v\n%s", err, w)
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
	require.Equal(t, before, openFds(t))
}
