package report

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files in testdata; look at the difference before you commit it")

// follow runs a program by a schedule that is known to fail: what is tested is the
// report, and not how the schedule was found.
func follow(t *testing.T, name string, body func(*sim.Task), schedule string) Input {
	t.Helper()
	s, err := sim.ParseSchedule(schedule)
	require.NoError(t, err)
	m := sim.NewMachine()
	m.StepLimit = 300
	t.Cleanup(m.Close)
	m.Trace(true)
	r := m.Run(explore.NewReplay(s), body)
	return input(name, &explore.Found{Failure: r.Failure, Schedule: r.Schedule(), Hash: r.Hash, Machine: m, Steps: r.Steps})
}

// find explores a program whose failure is not that of a run.
func find(t *testing.T, name string, body func(*sim.Task)) Input {
	t.Helper()
	s := explore.NewDFS(explore.Coverage{Bound: explore.All})
	found := explore.Run(context.Background(), body, s, explore.Options{}).Found
	require.NotNil(t, found, "the program must fail")
	t.Cleanup(found.Machine.Close)
	return input(name, found)
}

func input(name string, f *explore.Found) Input {
	return Input{
		Scenario: name, Design: "rfc-v2", Origin: "strategy=dfs  execution 3", Found: f,
		Command: "go run ./cmd/dmasim replay",
		Replay:  sim.Replay{Fingerprint: 0x7f3a, Program: name, Variant: "rfc-v2", Schedule: f.Schedule, Hash: 0xc41d09ab}.String(),
	}
}

// TestGolden guards the wording of the report of each kind of failure: it is the
// product.
func TestGolden(t *testing.T) {
	for _, c := range []struct {
		name     string
		body     func(*sim.Task)
		kind     sim.Kind
		schedule string
	}{
		{"stale-dma", staleDMA, "stale-dma", "@4>2"},
		{"deadlock", deadlock, sim.Deadlock, "@3>2"},
		{"stall", stall, sim.Stall, ""},
		{"livelock", livelock, sim.Livelock, ""},
		{"bug", buggy, sim.Bug, ""},
		{"warn", warn, sim.Warn, ""},
		{"misuse", misuse, sim.Misuse, ""},
		{"leak", leak, "leak", ""},
		{"setup", setup, "wrong-errno", ""},
		{"lanes", lanesOf, "double-completion", "@12>2"},
		{"own-lane", lanesOf, "double-completion", "@12>1.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := follow(t, c.name, c.body, c.schedule)
			require.NotNil(t, in.Found.Failure)
			require.Equal(t, c.kind, in.Found.Failure.Kind)
			golden(t, c.name, Text, in)
			if c.name == "stale-dma" || c.name == "lanes" {
				golden(t, c.name+"-full", Full, in)
			}
		})
	}
	t.Run("passed", func(t *testing.T) {
		in := follow(t, "passed", staleDMA, "")
		require.Nil(t, in.Found.Failure)
		golden(t, "passed", Text, in)
	})
	t.Run("nondeterminism", func(t *testing.T) {
		runs = 0
		in := find(t, "nondeterminism", flaky)
		require.Equal(t, sim.Nondeterminism, in.Found.Failure.Kind)
		golden(t, "nondeterminism", Text, in)
	})
	t.Run("no-scheduling-points", func(t *testing.T) {
		in := find(t, "no-scheduling-points", pointless)
		require.Equal(t, sim.NoSchedulingPoints, in.Found.Failure.Kind)
		golden(t, "no-scheduling-points", Text, in)
	})
}

func golden(t *testing.T, name string, report func(io.Writer, Input) error, in Input) {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report(&b, in))
	for _, l := range strings.Split(b.String(), "\n") {
		require.LessOrEqual(t, width(l), Width)
	}
	path := filepath.Join("testdata", name+".txt")
	if *rewrite {
		require.NoError(t, os.WriteFile(path, b.Bytes(), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String(), "go test ./sim/report -rewrite makes it so")
}

func TestFailureIsData(t *testing.T) {
	f := NewFailure(follow(t, "stale-dma", staleDMA, "@4>2"))
	require.Equal(t, sim.Kind("stale-dma"), f.Kind)
	require.Equal(t, 1, f.Preemptions)
	require.Equal(t, []Task{{"0", "init"}, {"1", "io_uring"}, {"2", "exporter"}}, f.Tasks)
	require.Contains(t, f.Trace, Event{Task: "1", Step: "CREATE-7", Op: "unlock", Object: "dma_resv", Note: "dma_resv_unlock()"})
	require.Contains(t, f.Trace, Event{Task: "2", Step: "REM-3", Note: "token->map == NULL, return"})
	b, err := json.Marshal(f)
	require.NoError(t, err)
	require.Contains(t, string(b), `"kind":"stale-dma"`)
	require.Nil(t, NewFailure(Input{}))
}
