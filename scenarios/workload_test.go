package scenarios_test

import (
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/dmabufsim"
	"dmasim/internal/simtest"
	"dmasim/scenarios"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/explore/draw"
	"dmasim/sim/hw"
	"dmasim/token"
	"dmasim/uringsim/realhw"
)

// TestWorkloads is the property: it draws what there is (drive, exporter, rings, what memory is
// short of, and whether the bytes are moved by the model or by the kernel), what the tasks do, and a
// schedule, which is a sparse list of switches. The designs that are to be right must pass every
// oracle and every detector; rapid makes what fails smaller in all three.
//
// What fails is kept in testdata/workloads.txt as replay strings, and those run first. DMASIM_CHECKS
// multiplies the number of workloads, which is rapid's.
func TestWorkloads(t *testing.T) {
	kept := keptRuns{"testdata/workloads.txt"}
	real := realOrNot(t)
	kept.again(t, real)
	checks := flag.Lookup("rapid.checks").Value.(flag.Getter).Get().(int)
	simtest.Flags(t, "rapid.checks", strconv.Itoa(checks*scale()))
	for _, d := range scenarios.Designs() {
		if d.Name == "rfc-v2" {
			continue
		}
		t.Run(d.Name, func(t *testing.T) {
			property{design: d, kept: kept, real: real}.check(t)
		})
	}
}

// property is what TestWorkloads holds a design to.
type property struct {
	design *scenarios.Design
	fixes  token.Fix
	kept   keptRuns
	// real moves bytes instead of the model now and then, if it is not nil.
	real scenarios.Backend
}

func (p property) check(t rapid.TB) {
	m := sim.NewMachine()
	defer m.Close()
	var last struct { // what failed last: rapid runs the smallest failure at the very end
		scenarios.Case
		sim.Schedule
		hash uint64
	}
	defer func() {
		if last.Scenario != nil {
			p.kept.keep(t, last.Case, last.Schedule, last.hash)
		}
	}()
	rapid.Check(t, func(rt *rapid.T) {
		wl := scenarios.Draw(drawn{rt})
		c, err := scenarios.NewCase(scenarios.Drawn(wl), p.design, p.fixes)
		require.NoError(rt, err)
		schedules := schedulesEach
		if p.real != nil && rapid.IntRange(0, 4).Draw(rt, "real bytes") == 4 {
			c.Real = p.real
			schedules = (schedules + 4) / 5 // they cost more
		}
		program := c.Program()
		for range schedules {
			r := draw.Run(rt, m, program, draw.Schedule(6, 30))
			if r.Failure == nil {
				continue
			}
			last.Case, last.Schedule, last.hash = c, r.Schedule(), r.Hash
			rt.Logf("workload: %v", wl)
			draw.Fail(rt, r)
		}
	})
}

// TestWorkloadsFail has the property fail where the repair of the race is missing, and looks at what
// is left of it: a property that cannot fail proves nothing, and one that does not get smaller helps
// nobody.
func TestWorkloadsFail(t *testing.T) {
	d, err := scenarios.FindDesign("rfc-v2")
	require.NoError(t, err)
	simtest.Flags(t, "rapid.seed", "1", "rapid.nofailfile", "true", "rapid.checks", "1000", "rapid.shrinktime", "3s")
	kept := keptRuns{filepath.Join(t.TempDir(), "kept", "workloads.txt")}
	p := property{design: d, fixes: token.AllFixes() &^ token.FixPublishUnderResv, kept: kept}
	rec := &simtest.Recorder{Test: "No/Such/Test"}
	p.check(rec)
	require.True(t, rec.Failed())
	require.Regexp(t, hw.StaleDMA+"|"+dmabufsim.FenceRule, rec.Logged.String())
	require.Len(t, kept.runs(t), 1)
	left := kept.runs(t)[0].text
	t.Log(left)
	recorded, err := sim.ParseReplay(left)
	require.NoError(t, err)
	c, err := scenarios.ParseCase(recorded.Program, recorded.Variant)
	require.NoError(t, err)
	require.LessOrEqual(t, strings.Count(recorded.Program, "+"), 3, "transfers")
	require.LessOrEqual(t, recorded.Schedule.Preemptions(), 3)

	again := &simtest.Recorder{Test: "No/Such/Test"}
	kept.again(again, nil)
	require.True(t, again.Failed(), "what is kept fails first")
	m := sim.NewMachine()
	defer m.Close()
	require.Equal(t, recorded.Fingerprint, explore.FingerprintOf(m, c.Program()))
	require.Equal(t, recorded.Hash, uint32(m.Run(explore.NewReplay(recorded.Schedule), c.Program()).Hash))
}

// realOrNot is the kernel as a backend, nil where it cannot be had; TestRealBytesChangeNothing tells
// why not.
func realOrNot(t *testing.T) scenarios.Backend {
	b, err := realhw.Open(realhw.Options{Dir: t.TempDir(), Drive: os.Getenv("DMASIM_DRIVE")})
	if err != nil {
		t.Log(err)
		return nil
	}
	t.Cleanup(func() {
		require.NoError(t, b.Err())
		require.NoError(t, b.Close())
	})
	return b
}

// workloads are drawn once and for all, for tests that need some.
var workloads = scenarios.Fuzz{Seed: 1}

// drawn has rapid draw a workload.
type drawn struct{ rt *rapid.T }

func (d drawn) Int(name string, min, max int) int { return rapid.IntRange(min, max).Draw(d.rt, name) }

func (d drawn) List(name string, min, max int, each func(scenarios.Source)) {
	rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) int {
		each(drawn{rt})
		return 0
	}), min, max).Draw(d.rt, name)
}

// schedulesEach is the number of schedules that are drawn for one workload.
const schedulesEach = 10

func scale() int {
	n, err := strconv.Atoi(os.Getenv("DMASIM_CHECKS"))
	if err != nil || n < 1 {
		return 1
	}
	return n
}

// TestWorkloadText reads what it prints, of whatever can be drawn.
func TestWorkloadText(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		wl := scenarios.Draw(drawn{rt})
		require.NoError(rt, wl.Validate())
		again, err := scenarios.ParseWorkload(wl.String())
		require.NoError(rt, err)
		require.Equal(rt, wl.String(), again.String())
		c, err := scenarios.ParseCase("workload:"+wl.String(), "drain")
		require.NoError(rt, err)
		program, _ := c.Names()
		require.Equal(rt, "workload:"+wl.String(), program)
	})
}

func TestWorkloadErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "there is no field of a workload",
		"moves=2":                           "nobody transfers anything",
		"move=2,io=r0+8":                    `or "moves"`,
		"moves=x,io=r0+8":                   "must be a number from 1",
		"moves=0,io=r0+8":                   "leave it out",
		"warm=1,io=r0+8":                    "takes no value",
		"io=":                               "is no transfer",
		"io=x0+8":                           "is no transfer",
		"io=r0":                             "is no transfer",
		"io=r0+8:":                          "is no transfer",
		"io=r0+8/":                          "is no transfer",
		"io=r0+17":                          "does not fit",
		"io=r0+0":                           "does not fit",
		"io=r0+8:30":                        "beyond",
		"clones=1,io=r0+8":                  "one at least",
		"exporter=gpu,io=r0+8":              "there is no exporter",
		"mode=poll,io=r0+8":                 "there is no ring mode",
		"sectors=4,io=r0+8":                 "a page",
		"align=3,io=r0+8":                   "power of two",
		"tags=1,io=r0+8,tags=2":             "twice",
		"exporter=,io=r0+8":                 "has no value",
		"mode,io=r0+8":                      "has no value",
		"align=512,chunk=8,io=r0+8":         "leave one out",
		"exporter=odd,cuts=0,io=r0+8":       "must be a number",
		"exporter=odd,distant,io=r0+8":      "leave distant out",
		"ragged,io=r0+8":                    "cuts of the exporter odd",
		"exporter=odd,ragged,io=r0+8":       "cuts=1,ragged",
		"swap,io=r0+8":                      "before a move",
		"exhausted,io=r0+8":                 "until a buffer has moved",
		"exporter=odd,moves=1,swap,io=r0+8": "an exporter that moves",
		"io=r0+8/renews":                    "or renew, own",
	} {
		_, err := scenarios.ParseWorkload(text)
		require.ErrorContains(t, err, want, "%q", text)
	}
}

// TestFuzz: what a workload does depends on the seed and its number only, and shards have the list
// between them.
func TestFuzz(t *testing.T) {
	d, err := scenarios.FindDesign("drain")
	require.NoError(t, err)
	count := func(first, step, n, workers int) scenarios.FuzzReport {
		f := scenarios.Fuzz{Design: d, Seed: 3, First: first, Step: step, Workloads: n, Schedules: 3, Workers: workers}
		r, err := f.Run(t.Context())
		require.NoError(t, err)
		require.Nil(t, r.Failed)
		return r
	}
	all, again := count(0, 1, 24, 1), count(0, 1, 24, 3)
	require.Equal(t, all, again)
	even, odd := count(0, 2, 12, 2), count(1, 2, 12, 1)
	require.Equal(t, all.Steps, even.Steps+odd.Steps)
	require.Equal(t, 24*3, all.Executions)
	alone := scenarios.Fuzz{Design: d, Seed: 1, First: 13, Workloads: 1, Schedules: 3}
	r, err := alone.Run(t.Context())
	require.NoError(t, err)
	require.Nil(t, r.Failed)
	require.Equal(t, 1, r.Workloads, "one without a scheduling point is done, too: %v", alone.Workload(13))
	_, err = (&scenarios.Fuzz{Design: d}).Run(t.Context())
	require.ErrorContains(t, err, "runs nothing")
}

// TestFuzzFails finds the race, the same with any number of workers, and shows it in a small workload.
func TestFuzzFails(t *testing.T) {
	d, err := scenarios.FindDesign("rfc-v2")
	require.NoError(t, err)
	var before string
	both := []int{1, 3}
	if testing.Short() {
		both = both[1:]
	}
	for _, workers := range both {
		f := scenarios.Fuzz{Design: d, Fixes: token.AllFixes() &^ token.FixPublishUnderResv, Without: []string{"fence-rules", "lockdep"},
			Workloads: 400, Schedules: 10, Workers: workers, Seed: 12}
		r, err := f.Run(t.Context())
		require.NoError(t, err)
		require.NotNil(t, r.Failed)
		found := r.Failed.Report.Found
		defer found.Machine.Close()
		require.Equal(t, hw.StaleDMA, found.Failure.Kind)
		shown, _ := r.Failed.Shown.Names()
		t.Log(r.Number, shown, found.Schedule)
		require.LessOrEqual(t, strings.Count(shown, "+"), 2)
		text := shown + found.Schedule.String()
		if before != "" {
			require.Equal(t, before, text)
		}
		before = text
	}
}
