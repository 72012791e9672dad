package explore_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
)

var _ explore.TB = testing.TB(nil)

// probe is a test that keeps what Check says.
type probe struct {
	name     string
	log      []string
	fatal    string
	attrs    map[string]string
	dir      string
	deadline time.Time
}

func (p *probe) Helper()      {}
func (p *probe) Name() string { return p.name }
func (p *probe) Logf(format string, args ...any) {
	p.log = append(p.log, fmt.Sprintf(format, args...))
}
func (p *probe) Fatalf(format string, args ...any) {
	p.fatal = fmt.Sprintf(format, args...)
	runtime.Goexit()
}
func (p *probe) Attr(key, value string)      { p.attrs[key] = value }
func (p *probe) ArtifactDir() string         { return p.dir }
func (p *probe) Deadline() (time.Time, bool) { return p.deadline, !p.deadline.IsZero() }
func (p *probe) logged() string              { return strings.Join(p.log, "\n") }

func newProbe(t *testing.T) *probe {
	t.Setenv(explore.ScheduleEnv, "")
	return &probe{name: "TestSum/two_adders", attrs: map[string]string{}, dir: t.TempDir()}
}

// check runs Check to its end, whichever that is.
func (p *probe) check(body func(*sim.Task), opts ...explore.CheckOption) {
	p.fatal, p.log = "", nil
	done := make(chan bool)
	go func() {
		defer close(done)
		explore.Check(p, body, opts...)
	}()
	<-done
}

// ageless takes hashes out.
func ageless(s string) string {
	return regexp.MustCompile(`#[0-9a-f]{8}`).ReplaceAllString(s, "#HASH")
}

func TestCheckReportsFailure(t *testing.T) {
	p := newProbe(t)
	p.check(racy)
	require.Equal(t, `bug: x is 1
found by dpor in execution 2: operations: 6, preemptions: 1

     1   1 adder  start
     2   1 adder  get x
     3 ! 2 adder  start
     4   2 adder  get x
     5   2 adder  set x
     6   1 adder  set x
         0 init   teardown
         0 init             <-- bug

schedule: @3>2
replay: DMASIM_SCHEDULE='@3>2#HASH' go test dmasim/sim/explore -run '^TestSum$/^two_adders$'`, ageless(p.fatal))
	require.Empty(t, p.log)
	require.Equal(t, "@3>2#HASH", ageless(p.attrs["schedule"]))

	schedule, err := os.ReadFile(filepath.Join(p.dir, "schedule.txt"))
	require.NoError(t, err)
	require.Equal(t, p.attrs["schedule"]+"\n", string(schedule))
	trace, err := os.ReadFile(filepath.Join(p.dir, "trace.txt"))
	require.NoError(t, err)
	require.Contains(t, string(trace), "0 init   start")
	require.Contains(t, string(trace), "6   1 adder  set x")
}

func TestCheckReportsDeadlock(t *testing.T) {
	p := newProbe(t)
	p.check(crossed)
	require.Contains(t, p.fatal, "deadlock: ab waits for lock b held by ba; ba waits for lock a held by ab\n")
	require.Contains(t, p.fatal, "\n  INFO: ba (task 2) is blocked: lock a, held by ab (task 1)\n")
}

func TestCheckShowWith(t *testing.T) {
	p := newProbe(t)
	p.check(racy, explore.ShowWith(func(f *explore.Found) string { return "shown " + f.Failure.Message + "\n" }))
	require.Equal(t, "shown x is 1\nschedule: @3>2\n"+lastLine(p.fatal), p.fatal)
}

func lastLine(s string) string { return s[strings.LastIndexByte(s, '\n')+1:] }

func TestCheckPasses(t *testing.T) {
	p := newProbe(t)
	p.check(locked(3))
	require.Empty(t, p.fatal)
	require.Len(t, p.log, 1)
	require.Regexp(t, `^explore: dpor covered all: 6 executions, 0 given up, longest run 15 operations, \d`, p.log[0])

	p.check(locked(2), explore.Using(explore.NewRandom(1)))
	require.Empty(t, p.fatal)
	require.Contains(t, p.logged(), fmt.Sprintf("random covered sampled: %d executions", explore.DefaultSamples))

	p.check(locked(2), explore.Using(&explore.Twice{Strategy: explore.NewDFS(explore.Coverage{Bound: explore.Delays, N: 1})}))
	require.Empty(t, p.fatal)
	require.Contains(t, p.logged(), "dfs covered delays<=1")
}

func TestCheckIncomplete(t *testing.T) {
	p := newProbe(t)
	few := explore.Within(explore.Options{Executions: 5})
	p.check(locked(3), few)
	require.Contains(t, p.fatal, "dpor did not cover all, because the budget of 5 executions was used up: 5 executions")
	p.check(locked(3), few, explore.AllowIncomplete())
	require.Empty(t, p.fatal)
	require.Contains(t, p.logged(), "dpor did not cover all, because the budget of 5 executions was used up: 5 executions")
	p.check(locked(3), few, explore.Promise(explore.Coverage{}))
	require.Empty(t, p.fatal)

	p.check(locked(2), explore.Using(explore.NewDFS(explore.Coverage{Bound: explore.Delays, N: 1})), explore.Promise(explore.Coverage{Bound: explore.All}))
	require.Contains(t, p.fatal, "dfs did not cover all, because nothing is left to run, and that covers only delays<=1")

	p.check(locked(3), few, explore.Using(explore.NewDeepen(explore.Coverage{Bound: explore.Delays, N: 3})))
	require.Contains(t, p.fatal, "dfs did not cover what it is to, because the budget of 5 executions was used up", "a smaller bound is not enough")

	p.deadline = time.Now().Add(time.Millisecond)
	p.check(locked(6))
	require.Contains(t, p.fatal, "because the time of ")
}

func TestCheckNeedsSchedulingPoints(t *testing.T) {
	p := newProbe(t)
	alone := func(t *sim.Task) {
		t.Go("alone", func(t *sim.Task) { newCell(t, "x").set(t, 1) })
		t.Explore()
	}
	p.check(alone)
	require.Contains(t, p.fatal, "no-scheduling-points: ")
	require.Contains(t, p.fatal, "schedule: the default one\nreplay: DMASIM_SCHEDULE='#")

	t.Setenv(explore.ScheduleEnv, p.attrs["schedule"])
	p.check(alone)
	require.Contains(t, p.fatal, "no-scheduling-points: ")
}

func TestCheckReplays(t *testing.T) {
	p := newProbe(t)
	p.check(racy)
	found, recorded := p.fatal, p.attrs["schedule"]
	replay := func(schedule string, body func(*sim.Task)) {
		t.Setenv(explore.ScheduleEnv, schedule)
		p.check(body)
	}
	below := func(s string) string { return s[strings.Index(s, "\n\n"):] }

	replay(recorded, racy)
	require.Equal(t, below(found), below(p.fatal))
	require.Contains(t, p.fatal, "bug: x is 1\nreplayed "+recorded+": operations: 6")

	replay("@3>2", racy)
	require.Equal(t, below(found), below(p.fatal))

	replay(recorded, locked(2))
	require.Contains(t, p.fatal, "this is not the recorded run: its hash is #")
	require.Contains(t, p.fatal, "the schedule could be followed to its end")

	replay("@3>7#"+recorded[len("@3>2#"):], locked(2))
	require.Contains(t, p.fatal, "step 3: recorded a switch to task 7, which cannot run now")

	replay("@3>2#00000000", racy)
	require.Contains(t, p.fatal, "bug: x is 1\n", "another run that fails, too, is shown")
	require.Contains(t, p.fatal, "\nthis is not the recorded run: ")
	require.Equal(t, lastLine(found), lastLine(p.fatal))

	replay("@3>2", locked(2))
	require.Empty(t, p.fatal)
	require.Equal(t, "explore: replayed @3>2: nothing was found in this run of 10 operations", p.logged())

	replay("@3>2,90>1", locked(2))
	require.Empty(t, p.fatal)
	require.Contains(t, p.logged(), "; the schedule was not followed to its end: the run ended before step 90")
}

func TestCheckRefusesMalformedSchedules(t *testing.T) {
	p := newProbe(t)
	for text, want := range map[string]string{
		"5>2":     "a list of switches begins with '@'",
		"@5":      `"5" is not a switch`,
		"@5>2#12": `the trace hash "12" is not eight hexadecimal digits`,
		"?0":      "is not a choice",
		"@5>2#":   "is not eight hexadecimal digits",
	} {
		t.Setenv(explore.ScheduleEnv, text)
		p.check(racy)
		require.Contains(t, p.fatal, "DMASIM_SCHEDULE: schedule", text)
		require.Contains(t, p.fatal, want, text)
	}
}

func TestCheckTellsOfTwice(t *testing.T) {
	p := newProbe(t)
	runs := 0
	differs := func(t *sim.Task) {
		x := newCell(t, "x")
		runs++
		for range 2 {
			t.Go("t", func(t *sim.Task) {
				if x.get(t); runs%7 == 0 {
					x.set(t, 1)
				}
			})
		}
		t.Explore()
	}
	p.check(differs, explore.Using(&explore.Twice{Strategy: explore.NewRandom(1)}))
	require.Contains(t, p.fatal, "nondeterminism: the same schedule gave two different runs; they part at event")
	require.Contains(t, p.fatal, "\n  first ")
}

// TestCheckOfProgramThatEndsTheTest: a body that calls t.Fatal leaves no schedule, and
// whoever reads the log is told so.
func TestCheckOfProgramThatEndsTheTest(t *testing.T) {
	p := newProbe(t)
	p.check(func(t *sim.Task) { p.Fatalf("of the program") })
	require.Equal(t, "of the program", p.fatal)
	require.Contains(t, p.logged(), "inside of it use sim.Task.Fail")
}

func TestCheckShortensLongTraces(t *testing.T) {
	p := newProbe(t)
	p.check(func(t *sim.Task) {
		x := newCell(t, "x")
		for range 2 {
			t.Go("t", func(t *sim.Task) {
				for range 150 {
					t.Step(sim.Op{Verb: "work"})
				}
				x.set(t, x.get(t)+1)
				for range 150 {
					t.Step(sim.Op{Verb: "work"})
				}
			})
		}
		t.Explore()
		if x.n != 2 {
			t.Fail(sim.Bug, "x is %d", x.n)
		}
	})
	require.Less(t, strings.Count(p.fatal, "\n"), 150)
	require.Regexp(t, `\n *153 ! 2 t +start\n`, p.fatal, "switches are kept")
	require.Contains(t, p.fatal, "lines; all are in trace.txt")
}

const subject = "DMASIM_TEST_SUBJECT"

// TestCheckSubject fails, for TestCheckLastLineIsACommand.
func TestCheckSubject(t *testing.T) {
	if os.Getenv(subject) == "" {
		t.Skip("it fails on purpose")
	}
	t.Run("it's (racy)/really", func(t *testing.T) { explore.Check(t, racy) })
	t.Run("other", func(t *testing.T) { t.Fatal("not to be run by a replay") })
}

// TestCheckLastLineIsACommand gives what Check prints last to a shell, with the test
// binary in place of "go test".
func TestCheckLastLineIsACommand(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no shell")
	}
	dir := t.TempDir()
	run := func(command string) string {
		c := exec.Command(sh, "-c", command)
		c.Env = append(os.Environ(), subject+"=1", explore.ScheduleEnv+"=", "SUBJECT="+os.Args[0], "DIR="+dir)
		out, err := c.CombinedOutput()
		require.Error(t, err, "%s", out)
		return string(out)
	}
	first := run(`"$SUBJECT" -test.run '^TestCheckSubject$' -test.artifacts -test.outputdir "$DIR"`)
	line := regexp.MustCompile(`replay: (.*)\n`).FindStringSubmatch(first)
	require.NotNil(t, line, "%s", first)
	require.Contains(t, line[1], " go test dmasim/sim/explore -run ")
	again := run(strings.Replace(line[1], "go test dmasim/sim/explore -run", `"$SUBJECT" -test.run`, 1))
	require.Contains(t, again, "replayed @3>2#")
	require.Contains(t, again, line[0])
	require.NotContains(t, again, "not the recorded run")
	require.NotContains(t, again, "not to be run")

	var kept []string
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			kept = append(kept, d.Name())
		}
		return err
	}))
	require.ElementsMatch(t, []string{"schedule.txt", "trace.txt"}, kept)
}

// TestDocumentIsCompiled looks every fragment of the document up in the examples.
func TestDocumentIsCompiled(t *testing.T) {
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "docs", "api.md"))
	require.NoError(t, err)
	var sources string
	for _, name := range []string{"sim/example_test.go", "sim/explore/example_test.go", "sim/explore/draw/example_test.go"} {
		source, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		sources += "\n" + flush(string(source))
	}
	fragments := regexp.MustCompile("(?ms)^```go\n(.*?)^```$").FindAllStringSubmatch(string(text), -1)
	require.NotEmpty(t, fragments)
	for _, f := range fragments {
		require.True(t, strings.Contains(sources, "\n"+flush(f[1])), "not in an example:\n%s", f[1])
	}
}

// flush takes the indentation out, which differs if a fragment is part of a function.
func flush(s string) string { return regexp.MustCompile(`(?m)^\t+`).ReplaceAllString(s, "") }
