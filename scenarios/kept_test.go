package scenarios_test

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/internal/simtest"
	"dmasim/scenarios"
	"dmasim/sim"
	"dmasim/sim/explore"
)

// keptRuns are runs that have failed once, in a file with a replay string a line; lines that begin
// with // are remarks. What failed when the kernel moved the bytes has onRealBytes behind its string: on
// the model it may never have failed.
type keptRuns struct{ file string }

const onRealBytes = "// on real bytes"

// keptRun is a line of the file.
type keptRun struct {
	line int
	text string // the replay string
	real bool
}

// command repeats it, with more flags.
func (r keptRun) command(flags string) string {
	if r.real {
		flags += " --backend real"
	}
	return "go run ./cmd/dmasim replay" + flags + " '" + r.text + "'"
}

func (k keptRuns) runs(t rapid.TB) (out []keptRun) {
	text, err := os.ReadFile(k.file)
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	for i, line := range strings.Split(string(text), "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			line, real := strings.CutSuffix(line, " "+onRealBytes)
			out = append(out, keptRun{i + 1, line, real})
		}
	}
	return out
}

// again runs all of them as far as their schedules can be followed, and says how far that is: what a
// schedule means changes with the models, and one that asks for what is not possible any more shows
// nothing. So their programs are run some more times, always the same ones. None may fail. A run that
// passes has another hash than the one that failed, so there is none to compare.
//
// What failed on real bytes runs on those again, or on the model if real is nil.
func (k keptRuns) again(t rapid.TB, real scenarios.Backend) {
	m := sim.NewMachine()
	defer m.Close()
	runs := k.runs(t)
	followed, unchanged, onReal := 0, 0, 0
	for _, run := range runs {
		recorded, err := sim.ParseReplay(run.text)
		require.NoError(t, err)
		c, err := scenarios.ParseCase(recorded.Program, recorded.Variant)
		require.NoError(t, err, run.text)
		remark := ""
		switch {
		case run.real && real != nil:
			c.Real, remark = real, ", on real bytes"
			onReal++
		case run.real:
			remark = ", without real bytes"
		}
		if explore.FingerprintOf(m, c.Program()) == recorded.Fingerprint {
			unchanged++
		} else {
			remark += "; the model has changed since"
		}
		replay := explore.NewReplay(recorded.Schedule)
		r := m.Run(replay, c.Program())
		require.Nil(t, r.Failure, "a kept run fails (again): %s", run.command(" --follow"))
		how := cmp.Or(replay.Diverged, replay.Unused())
		if how == "" {
			how = "followed to its end"
			followed++
		}
		t.Logf("%s:%d: %s%s", k.file, run.line, how, remark)
		for _, s := range []explore.Strategy{explore.NewRandom(1), explore.NewPCT(1, 3)} {
			for range 50 {
				r := m.Run(s, c.Program())
				if r.Failure != nil && r.Failure.Kind != sim.NoSchedulingPoints {
					require.Nil(t, r.Failure, "%s fails in another run: %s", recorded.Program, r.Schedule())
				}
				s.Done(r)
			}
		}
	}
	t.Logf("%d kept runs: %d followed to their ends, %d not any more; %d on the model that they failed on; %d on real bytes",
		len(runs), followed, len(runs)-followed, unchanged, onReal)
}

// keep adds the run of a case to the file, and tells how it is repeated.
func (k keptRuns) keep(t rapid.TB, c scenarios.Case, s sim.Schedule, hash uint64) {
	m := sim.NewMachine()
	defer m.Close()
	name, variant := c.Names()
	text := sim.Replay{Fingerprint: explore.FingerprintOf(m, c.Program()), Program: name, Variant: variant, Schedule: s, Hash: uint32(hash)}.String()
	run := keptRun{text: text, real: c.Real != nil}
	t.Logf("replay: %s", run.command(""))
	for _, known := range k.runs(t) {
		if known.text == run.text && known.real == run.real {
			return
		}
	}
	if run.real {
		text += " " + onRealBytes
	}
	require.NoError(t, os.MkdirAll(filepath.Dir(k.file), 0o755))
	f, err := os.OpenFile(k.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	require.NoError(t, err)
	_, err = f.WriteString(text + "\n")
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// TestKeptRuns keeps runs, and looks at what is said of them when they run again.
func TestKeptRuns(t *testing.T) {
	k := keptRuns{filepath.Join(t.TempDir(), "workloads.txt")}
	c, err := scenarios.ParseCase("workload:moves=1,io=r0+8", "drain")
	require.NoError(t, err)
	follows := sim.Schedule{Switches: []sim.Switch{{Step: 1, Task: "2"}}}
	k.keep(t, c, follows, 1)
	k.keep(t, c, follows, 1) // is known
	k.keep(t, c, sim.Schedule{Switches: []sim.Switch{{Step: 1, Task: "9"}}}, 1)
	k.keep(t, c, sim.Schedule{Switches: []sim.Switch{{Step: 9999, Task: "2"}}}, 1)
	moved := &countingBackend{}
	c.Real = moved
	k.keep(t, c, follows, 1)
	kept := k.runs(t)
	require.Len(t, kept, 4)
	for i, run := range kept {
		require.Equal(t, i == 3, run.real)
	}
	require.Equal(t, kept[0].text, kept[3].text)
	require.Contains(t, kept[3].command(""), "dmasim replay --backend real 's1.")

	moved.runs = 0
	rec := &simtest.Recorder{Test: t.Name()}
	k.again(rec, moved)
	require.False(t, rec.Failed(), rec.Logged.String())
	require.Equal(t, 1+1+2*50, moved.runs, "the fingerprint, the schedule, and what is drawn")
	for _, want := range []string{
		"txt:1: followed to its end\n",
		"txt:2: step 1: recorded a switch to task 9, which cannot run now",
		"txt:3: the run ended before step 9999, to which a switch was recorded\n",
		"txt:4: followed to its end, on real bytes\n",
		"4 kept runs: 2 followed to their ends, 2 not any more; 4 on the model that they failed on; 1 on real bytes\n",
	} {
		require.Contains(t, rec.Logged.String(), want)
	}

	rec = &simtest.Recorder{Test: t.Name()}
	k.again(rec, nil)
	require.Contains(t, rec.Logged.String(), "txt:4: followed to its end, without real bytes\n")
}

// countingBackend moves no bytes, and counts the runs in which it would have.
type countingBackend struct{ runs int }

func (b *countingBackend) Program(body func(*sim.Task)) func(*sim.Task) {
	return func(t *sim.Task) {
		b.runs++
		body(t)
	}
}
func (b *countingBackend) Replayable() bool { return true }
