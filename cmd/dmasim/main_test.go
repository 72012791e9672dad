package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/scenarios"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"dmasim": main})
}

// TestScripts runs testdata/script. Beside the usual commands the scripts have
//
//	status N COMMAND...   run it and compare the exit status
//	grab VAR REGEXP       set VAR to the first group found in stdout
//	edit VAR REGEXP NEW   replace in the value of VAR
//	jsonlines             every line of stdout is one JSON object, and stderr is empty
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status":    status,
			"grab":      grab,
			"edit":      edit,
			"jsonlines": jsonLines,
		},
	})
}

func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d\nstdout:\n%s\nstderr:\n%s", got, want, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

func grab(ts *testscript.TestScript, neg bool, args []string) {
	m := regexp.MustCompile("(?m)" + args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(m) < 2 {
		ts.Fatalf("%q is not in stdout", args[1])
	}
	ts.Setenv(args[0], m[1])
}

func edit(ts *testscript.TestScript, neg bool, args []string) {
	was := ts.Getenv(args[0])
	now := regexp.MustCompile(args[1]).ReplaceAllString(was, args[2])
	if now == was {
		ts.Fatalf("%q is not in %q", args[1], was)
	}
	ts.Setenv(args[0], now)
}

func jsonLines(ts *testscript.TestScript, neg bool, args []string) {
	if e := ts.ReadFile("stderr"); e != "" {
		ts.Fatalf("stderr has %q", e)
	}
	for _, l := range strings.Split(strings.TrimSuffix(ts.ReadFile("stdout"), "\n"), "\n") {
		ts.Check(json.Unmarshal([]byte(l), &map[string]any{}))
	}
}

// call runs the command in this process.
func call(args ...string) (stdout, stderr string, status int) {
	var out, err bytes.Buffer
	status = run(args, &out, &err, false)
	return out.String(), err.String(), status
}

func TestUsageIsInDocs(t *testing.T) {
	doc, err := os.ReadFile("../../docs/usage.md")
	require.NoError(t, err)
	require.Contains(t, string(doc), usage)
	for _, k := range kinds {
		row := "| `" + string(k.kind) + "` | " + k.doc + " |"
		if k.reserved {
			row = "`" + string(k.kind) + "`"
		}
		require.Contains(t, string(doc), row)
	}
	for _, l := range strings.Split(usage, "\n") {
		require.LessOrEqual(t, len(l), 80)
	}
}

func TestStrategiesAreDescribed(t *testing.T) {
	for _, s := range scenarios.Strategies() {
		require.NotEmpty(t, strategyDocs[s].doc, s)
	}
	require.Len(t, strategyDocs, len(scenarios.Strategies()))
}

// TestExpectedKindsAreDocumented checks that no scenario expects a kind that is
// not in the set.
func TestExpectedKindsAreDocumented(t *testing.T) {
	set := map[string]bool{}
	for _, k := range kinds {
		set[string(k.kind)] = true
	}
	for _, s := range scenarios.All() {
		for design, ds := range s.Defects {
			for _, d := range ds {
				require.True(t, set[string(d.Kind)], "%s, %s: %s", s.Name, design, d.Kind)
			}
		}
	}
}

// TestReplayPrintsTheSame compares everything below the first line of a report.
func TestReplayPrintsTheSame(t *testing.T) {
	found, _, status := call("check", "publish-after-unlock", "--design", "rfc-v2")
	require.Equal(t, exitOK, status)
	_, below, _ := strings.Cut(found, "\n")
	lines := strings.Split(strings.TrimSpace(found), "\n")
	last := lines[len(lines)-1]
	arg, ok := strings.CutPrefix(last, "replay: "+replayCommand+" '")
	require.True(t, ok, last)
	again, _, status := call("replay", strings.TrimSuffix(arg, "'"))
	require.Equal(t, exitOK, status)
	_, again, _ = strings.Cut(again, "\n")
	require.Equal(t, below+"\nreplayed: same trace, same outcome\n", again)
}

// TestAnyReplayString edits a good string: whatever comes of it, it is one of the
// exit statuses, and a sentence where it is unusable.
func TestAnyReplayString(t *testing.T) {
	const good = "s1.7f3a.publish-after-unlock.rfc-v2+publish-under-resv@6>2,9>1.1?0=1#c41d09ab"
	rapid.Check(t, func(t *rapid.T) {
		s := []rune(good)
		for range rapid.IntRange(0, 4).Draw(t, "edits") {
			i := rapid.IntRange(0, len(s)).Draw(t, "at")
			j := min(len(s), i+rapid.IntRange(0, 3).Draw(t, "cut"))
			in := []rune(rapid.StringOfN(rapid.RuneFrom([]rune("0129.,>@?#=:+-asé")), 0, 3, -1).Draw(t, "in"))
			s = slices.Concat(s[:i], in, s[j:])
		}
		args := []string{"replay", string(s)}
		if rapid.Bool().Draw(t, "follow") {
			args = append(args, "--follow")
		}
		out, err, status := call(args...)
		switch status {
		case exitOK, exitDiffers:
			require.Empty(t, err)
			require.Regexp(t, "^(FAIL|PASS) publish-after-unlock", out)
		default:
			require.Equal(t, exitUnusable, status)
			require.Empty(t, out)
			require.Regexp(t, "^dmasim replay: .+\n$", err)
		}
	})
}
