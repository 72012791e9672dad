package scenarios_test

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/scenarios"
	"dmasim/sim"
	"dmasim/sim/explore"
)

// keptRuns are runs that have failed once, in a file with a replay string a line; lines that begin
// with // are remarks.
type keptRuns struct{ file string }

func (k keptRuns) strings(t rapid.TB) (out []string) {
	text, err := os.ReadFile(k.file)
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			out = append(out, line)
		}
	}
	return out
}

// again runs all of them as far as their schedules can be followed, and their programs some more times:
// what a schedule means changes with the models. None may fail.
func (k keptRuns) again(t rapid.TB) {
	m := sim.NewMachine()
	defer m.Close()
	for _, text := range k.strings(t) {
		recorded, err := sim.ParseReplay(text)
		require.NoError(t, err)
		c, err := scenarios.ParseCase(recorded.Program, recorded.Variant)
		require.NoError(t, err, text)
		r := m.Run(explore.NewReplay(recorded.Schedule), c.Program())
		require.Nil(t, r.Failure, "a kept run fails (again): go run ./cmd/dmasim replay '%s'", text)
		for _, s := range []explore.Strategy{explore.NewRandom(1), explore.NewPCT(1, 3)} {
			for range 40 {
				r := m.Run(s, c.Program())
				if r.Failure != nil && r.Failure.Kind != sim.NoSchedulingPoints {
					require.Nil(t, r.Failure, "%s fails in another run: %s", recorded.Program, r.Schedule())
				}
				s.Done(r)
			}
		}
	}
}

// keep adds the run of a case to the file, and tells how it is repeated.
func (k keptRuns) keep(t rapid.TB, c scenarios.Case, s sim.Schedule, hash uint64) {
	m := sim.NewMachine()
	defer m.Close()
	name, variant := c.Names()
	text := sim.Replay{Fingerprint: explore.FingerprintOf(m, c.Program()), Program: name, Variant: variant, Schedule: s, Hash: uint32(hash)}.String()
	t.Logf("replay: go run ./cmd/dmasim replay '%s'", text)
	for _, known := range k.strings(t) {
		if known == text {
			return
		}
	}
	require.NoError(t, os.MkdirAll(filepath.Dir(k.file), 0o755))
	f, err := os.OpenFile(k.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	require.NoError(t, err)
	_, err = f.WriteString(text + "\n")
	require.NoError(t, err)
	require.NoError(t, f.Close())
}
