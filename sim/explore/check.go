package explore

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"dmasim/sim"
)

// ScheduleEnv is the environment variable that makes Check run one schedule instead of
// exploring. It is no flag, because "go test ./..." fails in every package that does
// not know a flag.
const ScheduleEnv = "DMASIM_SCHEDULE"

// DefaultSamples is the number of executions in Check of a strategy that samples, if no
// budget is given.
const DefaultSamples = 10_000

// TB is the part of testing.TB that Check cannot do without. If t also has Context,
// Deadline, Attr or ArtifactDir, as a *testing.T does, Check uses them.
type TB interface {
	Helper()
	Name() string
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// CheckOption changes what Check does.
type CheckOption func(*checking)

// Using explores with s instead of DPOR. A strategy has a state: each Check needs one
// of its own.
func Using(s Strategy) CheckOption { return func(c *checking) { c.strategy = s } }

// Within sets the budgets and the other options of Run. Whatever they are, Check stops
// when nine tenths of the time until the deadline of the test have passed.
func Within(opt Options) CheckOption { return func(c *checking) { c.options = opt } }

// Promise says what is to be covered. Without it, a strategy that samples has to cover
// nothing; the others have to come to their end and to cover something.
func Promise(p Coverage) CheckOption { return func(c *checking) { c.promise = &p } }

// AllowIncomplete lets the test pass if the budget is used up before what was promised
// is covered.
func AllowIncomplete() CheckOption { return func(c *checking) { c.incomplete = true } }

// ShowWith puts the text that show makes in place of the failure and its trace, above
// the lines with the schedule and the command. Package sim/report draws diagrams.
func ShowWith(show func(*Found) string) CheckOption { return func(c *checking) { c.show = show } }

// Check explores body, and ends the test if it finds a failure. The last line of what it
// says is the command that repeats the failing run:
//
//	replay: DMASIM_SCHEDULE='@5>2#c41d09ab' go test example.com/ring -run '^TestPush$'
//
// What follows from several runs together, see [Observed], has a line for each of them.
//
// # Passing
//
// A test passes if what was promised (see Promise) was covered and nothing found. If a
// budget is used up before that, the test fails, unless AllowIncomplete is given: a
// bound that is quietly not reached any more, because the program has grown, would look
// like a pass. A program in which more than one task can never run fails as well. One
// line of the log says what was done.
//
// # Failing
//
// body fails a run with [sim.Task.Fail], [sim.Task.Warn] or an auditor. It must not use
// t.Fatal or what calls it: that ends the test at once, without schedule and trace.
//
// On failure, schedule.txt and trace.txt, the latter with set-up and tear-down, are in
// the directory of artifacts (go test -artifacts), and the test has the attribute
// "schedule".
//
// # Repeating
//
// With DMASIM_SCHEDULE in the environment Check runs that schedule and no other. If it
// ends with '#' and eight digits, the hash of the trace, and the run has another hash,
// the test fails and says so, whatever the run did: the program is not the one that
// the schedule was recorded with. Without the hash, the schedule is followed as far as
// possible and where it was left is logged. Every Check in the process obeys the
// variable, so it needs -run with the name of the test, and a test that calls Check
// more than once should do so in subtests.
func Check(t TB, body func(*sim.Task), opts ...CheckOption) {
	t.Helper()
	c := &checking{t: t, body: body}
	for _, o := range opts {
		o(c)
	}
	finished := false
	defer func() {
		if !finished {
			t.Helper()
			t.Logf("explore: the program ended the test by itself, so there is no schedule; inside of it use sim.Task.Fail instead of t.Fatal")
		}
	}()
	// What fails the test is not done in there: t.Fatalf would end in that message.
	var verdict string
	if text := os.Getenv(ScheduleEnv); text != "" {
		verdict = c.replay(text)
	} else {
		verdict = c.explore()
	}
	finished = true
	if verdict != "" {
		t.Fatalf("%s", verdict)
	}
}

// checking is one call of Check.
type checking struct {
	t          TB
	body       func(*sim.Task)
	strategy   Strategy
	options    Options
	promise    *Coverage
	incomplete bool
	show       func(*Found) string
}

// explore returns what is to be said against the program, "" if nothing is.
func (c *checking) explore() string {
	c.t.Helper()
	s, promise := c.strategy, c.promise
	if s == nil {
		s = NewDPOR()
		if promise == nil {
			promise = &Coverage{Bound: All}
		}
	}
	opt := c.options
	if samples(s) && opt.Executions == 0 && opt.Time == 0 {
		opt.Executions = DefaultSamples
	}
	if d, ok := c.t.(interface{ Deadline() (time.Time, bool) }); ok {
		if at, ok := d.Deadline(); ok {
			if left := max(time.Until(at)*9/10, 1); opt.Time == 0 || left < opt.Time {
				opt.Time = left
			}
		}
	}
	if opt.Progress == nil {
		opt.Progress = c.progress(time.Now())
	}
	ctx := context.Background()
	if x, ok := c.t.(interface{ Context() context.Context }); ok {
		ctx = x.Context()
	}
	rep := Run(ctx, c.body, s, opt)
	if f := rep.Found; f != nil {
		defer f.Machine.Close()
		return c.report(f, fmt.Sprintf("found by %s in execution %d", s.Name(), f.Execution))
	}
	if w, ok := s.(*Twice); ok && w.Differs != nil {
		return w.Differs.Error() + "\n  " + strings.Join(w.Differs.Detail, "\n  ")
	}
	numbers := fmt.Sprintf("%d executions, %d given up, longest run %d operations, %v",
		rep.Executions, rep.Abandoned, rep.Longest, rep.Elapsed.Round(time.Millisecond))
	if rep.Promise != "" {
		numbers += "; " + rep.Promise
	}
	enough, what := samples(s) || rep.Exhausted && rep.Coverage.Bound != Sampled, "what it is to"
	if promise != nil {
		enough, what = rep.Coverage.Reaches(*promise), promise.String()
	}
	if enough {
		c.t.Logf("explore: %s covered %s: %s", s.Name(), rep.Coverage, numbers)
		return ""
	}
	why := "it was interrupted"
	switch rep.Ended {
	case endNothingLeft:
		why = fmt.Sprintf("nothing is left to run, and that covers only %s", rep.Coverage)
	case endExecutions:
		why = fmt.Sprintf("the budget of %d executions was used up", opt.Executions)
	case endTime:
		why = fmt.Sprintf("the time of %v was used up", opt.Time.Round(time.Millisecond))
	}
	line := fmt.Sprintf("explore: %s did not cover %s, because %s: %s", s.Name(), what, why, numbers)
	if c.incomplete {
		c.t.Logf("%s", line)
		return ""
	}
	return line + "\nnothing was found so far; raise the budget, promise less, or allow that it is incomplete"
}

// samples tells whether s goes on for ever, and has to be given a budget.
func samples(s Strategy) bool {
	switch s := s.(type) {
	case Sampler:
		return true
	case *Twice:
		return samples(s.Strategy)
	case *Recorded:
		return samples(s.Strategy)
	case *Counted:
		return samples(s.Strategy)
	}
	return false
}

// progressEvery is the time between two lines of progress in the log of a test.
const progressEvery = 10 * time.Second

func (c *checking) progress(begin time.Time) func(Progress) {
	var told atomic.Int64 // how often; the workers take turns
	return func(p Progress) {
		spent := time.Since(begin)
		if n := told.Load(); spent >= progressEvery*time.Duration(n+1) && told.CompareAndSwap(n, int64(spent/progressEvery)) {
			c.t.Logf("explore: %v: %d executions (%.0f/s), longest run %d operations",
				spent.Round(time.Second), p.Executions, float64(p.Executions)/spent.Seconds(), p.Longest)
		}
	}
}

// replay runs the schedule in text, and returns like explore.
func (c *checking) replay(text string) string {
	c.t.Helper()
	schedule, want, err := parseRecorded(text)
	if err != nil {
		return fmt.Sprintf("%s: %v", ScheduleEnv, err)
	}
	m := sim.NewMachine()
	defer m.Close()
	m.StepLimit = c.options.StepLimit
	f := &Found{Machine: m, Execution: 1, Fingerprint: FingerprintOf(m, c.body)}
	m.Trace(true)
	s := NewReplay(schedule)
	r := m.Run(s, c.body)
	f.Failure, f.Schedule, f.Hash, f.Steps = r.Failure, r.Schedule(), r.Hash, r.Steps
	if f.Failure == nil && r.Branching == 0 {
		f.Failure = &sim.Failure{Kind: sim.NoSchedulingPoints, Message: "at no point of this run could more than one task run"}
	}
	left := s.Diverged
	if left == "" {
		left = s.Unused()
	}
	note := ""
	switch {
	case want != nil && *want != uint32(r.Hash):
		if left == "" {
			left = "the schedule could be followed to its end, so it is between its switches that the program differs"
		}
		note = fmt.Sprintf("this is not the recorded run: its hash is #%08x, not #%08x; %s", uint32(r.Hash), *want, left)
	case left != "":
		note = "the schedule was not followed to its end: " + left
	}
	switch {
	case f.Failure != nil && note != "":
		return c.report(f, "replayed "+text, note)
	case f.Failure != nil:
		return c.report(f, "replayed "+text)
	case want != nil && note != "":
		return fmt.Sprintf("%s=%s: %s\nthe run found nothing; without the part from '#' on the schedule is followed as far as it goes", ScheduleEnv, text, note)
	}
	if note != "" {
		note = "; " + note
	}
	c.t.Logf("explore: replayed %s: nothing was found in this run of %d operations%s", text, r.Steps, note)
	return ""
}

// recorded is a run in the form that parseRecorded reads. It has a hash even if the
// schedule is empty, so that it never is.
func recorded(f *Found) string { return fmt.Sprintf("%s#%08x", f.Schedule, uint32(f.Hash)) }

// parseRecorded reads a schedule with or without the hash of its run.
func parseRecorded(text string) (s sim.Schedule, hash *uint32, err error) {
	schedule, digits, ok := strings.Cut(text, "#")
	if s, err = sim.ParseSchedule(schedule); err != nil {
		return s, nil, err
	}
	if ok {
		h, err := strconv.ParseUint(digits, 16, 32)
		if err != nil || len(digits) != 8 {
			return s, nil, fmt.Errorf("schedule %q: the trace hash %q is not eight hexadecimal digits", text, digits)
		}
		h32 := uint32(h)
		hash = &h32
	}
	return s, hash, nil
}

// report is the text for a failure. It leaves the artifacts behind.
func (c *checking) report(f *Found, origin string, notes ...string) string {
	text := recorded(f)
	if t, ok := c.t.(interface{ Attr(key, value string) }); ok {
		t.Attr("schedule", text)
	}
	if t, ok := c.t.(interface{ ArtifactDir() string }); ok {
		c.keep(filepath.Join(t.ArtifactDir(), "schedule.txt"), text+"\n")
		c.keep(filepath.Join(t.ArtifactDir(), "trace.txt"), strings.Join(traceLines(f, true), "\n")+"\n")
	}
	var b strings.Builder
	if c.show != nil {
		b.WriteString(strings.TrimRight(c.show(f), "\n"))
		b.WriteString("\n")
	} else {
		fmt.Fprintf(&b, "%s\n%s: operations: %d, preemptions: %d\n\n", f.Failure, origin, f.Steps, f.Schedule.Preemptions())
		for _, l := range shorten(traceLines(f, false)) {
			b.WriteString(l + "\n")
		}
		for _, d := range f.Failure.Detail {
			b.WriteString("  " + d + "\n")
		}
		b.WriteString("\n")
	}
	for _, n := range notes {
		b.WriteString(n + "\n")
	}
	schedule := f.Schedule.String()
	if schedule == "" {
		schedule = "the default one"
	}
	fmt.Fprintf(&b, "schedule: %s\n", schedule)
	for _, o := range f.Others {
		fmt.Fprintf(&b, "further run: %s: %s\n", o.What, c.command(recorded(&Found{Schedule: o.Schedule, Hash: o.Hash})))
	}
	fmt.Fprintf(&b, "replay: %s", c.command(text))
	return b.String()
}

// command is what repeats a run.
func (c *checking) command(text string) string {
	return fmt.Sprintf("%s=%s go test %s -run %s", ScheduleEnv, quote(text), testedPackage(), quote(pattern(c.t.Name())))
}

func (c *checking) keep(name, text string) {
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		c.t.Logf("explore: %v", err) // the failure itself is the news
	}
}

// Of a long trace, these many lines are shown at its beginning and at its end.
const foldHead, foldTail = 40, 80

// shorten leaves out the middle of a long trace, except for the switches.
func shorten(lines []string) []string {
	if len(lines) <= foldHead+foldTail+10 {
		return lines
	}
	out := append([]string(nil), lines[:foldHead]...)
	left := 0
	flush := func() {
		if left > 0 {
			out = append(out, fmt.Sprintf("        ... %d lines; all are in trace.txt, see go test -artifacts", left))
		}
		left = 0
	}
	for _, l := range lines[foldHead : len(lines)-foldTail] {
		if len(l) > flagAt && l[flagAt] != ' ' {
			flush()
			out = append(out, l)
		} else {
			left++
		}
	}
	flush()
	return append(out, lines[len(lines)-foldTail:]...)
}

// flagAt is the column of the mark of a switch.
const flagAt = 7

// traceLines has one line for each row: of the explored phase and of the one in which
// the run failed, or of all phases.
func traceLines(f *Found, all bool) []string {
	rows := f.Machine.Rows()
	failed := sim.PhaseExplore
	task, op := 0, 0
	for i := range rows {
		r := &rows[i]
		if r.Failed {
			failed = r.Phase
		}
		task = max(task, utf8.RuneCountInString(actor(r)))
		op = max(op, utf8.RuneCountInString(operation(f.Machine, r)))
	}
	task, op = min(task, 24), min(op, 40)
	var out []string
	for i := range rows {
		r := &rows[i]
		if !all && r.Phase != sim.PhaseExplore && r.Phase != failed {
			continue
		}
		step, flag := "", " "
		if r.Phase == sim.PhaseExplore && !r.Failed {
			step = strconv.Itoa(r.Step)
		}
		switch {
		case r.Preempted:
			flag = "!"
		case r.Switched:
			flag = ">"
		}
		text := strings.TrimSpace(r.Label + " " + r.Text)
		if r.Failed {
			text = strings.TrimSpace(text + " <-- " + string(f.Failure.Kind))
		}
		line := fmt.Sprintf("%6s %s %-*s  %-*s  %s", step, flag, task, actor(r), op, operation(f.Machine, r), text)
		out = append(out, strings.TrimRight(line, " "))
	}
	return out
}

func actor(r *sim.Row) string {
	if r.Task == nil {
		return ""
	}
	return r.Task.ID() + " " + r.Task.Name
}

func operation(m *sim.Machine, r *sim.Row) string {
	if r.Obj == nil {
		return r.Verb
	}
	return r.Verb + " " + m.ObjectName(r.Obj)
}

// testedPackage is the import path of the package whose tests run, which unlike a
// relative path is right in every directory of the module.
func testedPackage() string {
	if b, ok := debug.ReadBuildInfo(); ok && b.Path != "" && b.Path != "command-line-arguments" {
		return strings.TrimSuffix(b.Path, ".test")
	}
	return "."
}

// pattern is what go test -run takes for one test or subtest.
func pattern(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	return strings.Join(parts, "/")
}

// quote makes one word for a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
