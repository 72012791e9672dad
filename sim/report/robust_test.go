package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// The reporter must not crash, and rapid must see where it does: so the tests here
// call text and full, which have no net under them.
func checkLines(t require.TestingT, in Input) {
	for _, lines := range [][]string{text(in), full(in)} {
		for _, l := range lines {
			require.LessOrEqual(t, width(l), Width, "%q", l)
			require.NotContains(t, l, "\n")
			require.Equal(t, strings.TrimRight(l, " "), l)
		}
	}
	NewFailure(in)
}

func TestWeirdInput(t *testing.T) {
	long := strings.Repeat("dma_resv_wait_timeout ", 200)
	solid := strings.Repeat("x", 1000)
	for name, in := range map[string]Input{
		"nothing":         {},
		"no machine":      {Found: &explore.Found{Failure: &sim.Failure{Kind: "bug"}}},
		"no rows":         {Found: &explore.Found{Failure: &sim.Failure{Kind: "leak"}, Machine: sim.NewMachine()}},
		"no failure":      {Found: &explore.Found{Machine: sim.NewMachine()}},
		"task without id": {Found: &explore.Found{Failure: &sim.Failure{Task: &sim.Task{}}, Machine: sim.NewMachine()}},
		"long": {Scenario: long, Design: solid, Origin: long, Command: solid, Replay: solid, Notes: []string{long, solid},
			Found: &explore.Found{Failure: &sim.Failure{Kind: sim.Kind(solid), Message: long, Detail: []string{long, solid}}}},
		"not text": {Scenario: "\x00\n", Design: "\xff\xfe", Replay: "'\n'", Command: "\t",
			Found: &explore.Found{Failure: &sim.Failure{Message: "größer\nals\r\x1b[31m", Detail: []string{"\u2028"}}}},
	} {
		t.Run(name, func(t *testing.T) { checkLines(t, in) })
	}
}

// TestCrash checks the net: whatever happens to the drawing, the reader learns
// what failed and how to repeat it.
func TestCrash(t *testing.T) {
	in := Input{Scenario: "x", Design: "y", Command: "replay", Replay: "s1.x",
		Found: &explore.Found{Failure: &sim.Failure{Kind: "leak", Message: "one reference"}}}
	var b bytes.Buffer
	require.NoError(t, write(&b, in, func(Input) []string { panic("oops") }))
	require.Equal(t, "FAIL x  design=y\nleak: one reference\n(the trace could not be drawn: oops)\nreplay: replay 's1.x'\n", b.String())
}

// TestLongCommand checks that a shell would put the pieces together again.
func TestLongCommand(t *testing.T) {
	arg := "s1.7f3a.x.y@" + strings.Repeat("12>1.1,", 60) + "#c41d09ab"
	lines := command(Input{Command: "go run ./cmd/dmasim replay", Replay: arg})
	require.Greater(t, len(lines), 2)
	joined := strings.ReplaceAll(strings.Join(lines, "\n"), "\\\n", "")
	require.Equal(t, "replay: go run ./cmd/dmasim replay "+arg, strings.ReplaceAll(joined, "'", ""))
}

// drawnProgram is a program that does anything: tasks with children, labels of any
// length, failures of any kind at any place.
func drawnProgram(t *rapid.T) func(*sim.Task) {
	text := rapid.OneOf(rapid.StringN(0, 12, -1), rapid.StringN(0, 300, -1),
		rapid.SampledFrom([]string{"", "CREATE-7", "dma_resv_unlock()", strings.Repeat("word ", 50), strings.Repeat("ж", 130)}))
	kinds := rapid.SampledFrom([]sim.Kind{"stale-dma", "", "größe", sim.Kind(strings.Repeat("k", 150))})
	type act struct {
		what        int
		label, text string
		child       []act
	}
	var script func(depth int) []act
	script = func(depth int) []act {
		n := rapid.IntRange(0, 8).Draw(t, "n")
		if rapid.IntRange(0, 9).Draw(t, "long") == 0 {
			n = 60
		}
		out := make([]act, n)
		for i := range out {
			out[i] = act{rapid.IntRange(0, 12).Draw(t, "what"), text.Draw(t, "label"), text.Draw(t, "text"), nil}
			if out[i].what == 1 && depth < 3 {
				out[i].child = script(depth + 1)
			}
		}
		return out
	}
	scripts := make([][]act, rapid.IntRange(0, 20).Draw(t, "tasks"))
	names := make([]string, len(scripts))
	for i := range scripts {
		scripts[i], names[i] = script(0), text.Draw(t, "name")
	}
	kind := kinds.Draw(t, "kind")
	end := text.Draw(t, "end")
	inSetup := rapid.IntRange(0, 5).Draw(t, "setup") == 0
	audit := rapid.Bool().Draw(t, "audit")
	return func(t *sim.Task) {
		var o sim.Object
		mu, never := &mutex{}, &event{}
		t.Own(&o, "atomic", end)
		t.Own(&mu.Object, "mutex", end)
		t.Own(&never.Object, "completion", end)
		if audit {
			t.Machine().Audit(func() *sim.Failure { return &sim.Failure{Kind: kind, Message: end, Task: t} })
		}
		var perform func(*sim.Task, []act)
		perform = func(t *sim.Task, acts []act) {
			for i, a := range acts {
				t.At(a.label, a.text)
				switch a.what {
				case 0:
					t.Say(a.label, a.text)
				case 1:
					t.Go(a.text, func(t *sim.Task) { perform(t, a.child) })
				case 2:
					t.Choose(3, a.text)
				case 3:
					t.Warn("%s", a.text)
				case 4:
					if i%3 == 2 {
						t.Fail(kind, "%s", a.text)
					}
				case 5:
					if i%3 == 2 {
						panic(a.text)
					}
				case 6:
					mu.lock(t)
				case 7:
					if i%3 == 2 {
						t.Step(sim.Op{Verb: a.text, Obj: &never.Object, Guard: never})
					}
				case 8:
					t.After(5, sim.TimerMode(i%3), a.text, func(t *sim.Task) { t.Say(a.label, a.text) })
				case 9:
					if i%3 == 2 {
						t.Step(sim.Op{Obj: &sim.Object{}})
					}
				default:
					t.Step(sim.Op{Verb: "store", Obj: &o})
				}
			}
		}
		if inSetup && len(scripts) > 0 {
			perform(t, scripts[0])
		}
		for i, s := range scripts {
			t.Go(names[i], func(t *sim.Task) { perform(t, s) })
		}
		t.Explore()
		t.Say(end, end)
	}
}

func TestAnyProgram(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := drawnProgram(t)
		m := sim.NewMachine()
		m.StepLimit = 400
		defer m.Close()
		m.Trace(true)
		r := m.Run(explore.NewRandom(rapid.Uint64().Draw(t, "seed")), body)
		in := Input{Scenario: "any", Design: "any", Command: "replay", Replay: r.Schedule().String(),
			Found: &explore.Found{Failure: r.Failure, Schedule: r.Schedule(), Hash: r.Hash, Machine: m, Steps: r.Steps}}
		checkLines(t, in)
		lines := text(in)
		if r.Failure != nil {
			require.LessOrEqual(t, len(lines), 300)
		}
		f := in.Found
		f.Failure = nil
		checkLines(t, in)
		f.Failure = &sim.Failure{Kind: sim.Deadlock, Task: &sim.Task{Name: "nobody"}}
		checkLines(t, in)
	})
}
