package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"time"

	"dmasim/scenarios"
	"dmasim/sim/report"
)

// fuzz runs workloads and schedules that are drawn.
func (a *app) fuzz(args []string) (int, error) {
	var f checkFlags
	var shard string
	fs := flags("fuzz")
	fs.Var(&once{value: &f.design}, "design", "")
	fs.Var(list{&f.fix}, "fix", "")
	fs.Var(list{&f.without}, "without", "")
	fs.Var(&once{value: &shard}, "shard", "")
	runs := fs.Int("runs", 10_000, "")
	schedules := fs.Int("schedules", 50, "")
	fs.Uint64Var(&f.seed, "seed", 1, "")
	asJSON := fs.Bool("json", false, "")
	rest, err := parse(fs, args)
	if err != nil {
		return 0, err
	}
	switch {
	case len(rest) > 0:
		return 0, fmt.Errorf("it draws its workloads and takes none; check explores %q", rest[0])
	case *schedules < 1:
		return 0, fmt.Errorf("--schedules %d: a workload needs one at least", *schedules)
	case *runs < *schedules:
		return 0, fmt.Errorf("--runs %d is less than one workload has, which is %d: see --schedules", *runs, *schedules)
	}
	z := scenarios.Fuzz{Seed: f.seed, Schedules: *schedules, Workloads: *runs / *schedules, Workers: runtime.GOMAXPROCS(0)}
	if z.First, z.Step, err = parseShard(shard); err != nil {
		return 0, err
	}
	f.given = map[string]bool{"fix": f.fix != ""}
	if z.Fixes, err = parseFixes(f); err != nil {
		return 0, err
	}
	if z.Without, err = detectors(f.without); err != nil {
		return 0, err
	}
	switch {
	case f.design != "":
	case z.Fixes != 0:
		f.design = "rfc-v2"
	default:
		f.design = "rfc-v2-repaired"
	}
	if z.Design, err = scenarios.FindDesign(f.design); err != nil {
		return 0, err
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop)
	begin := time.Now()
	if a.tty {
		z.Progress = a.fuzzProgress(begin, z)
	}
	rep, err := z.Run(ctx)
	if a.tty {
		fmt.Fprintf(a.stderr, "\r%60s\r", "")
	}
	if err != nil {
		return 0, err
	}
	if rep.Failed != nil {
		defer rep.Failed.Report.Found.Machine.Close()
	}
	if *asJSON {
		a.fuzzJSON(z, rep)
	} else {
		a.fuzzText(z, rep, time.Since(begin))
	}
	switch {
	case rep.Failed != nil:
		return exitDiffers, nil
	case rep.Workloads < z.Workloads:
		return exitIncomplete, nil
	}
	return exitOK, nil
}

// parseShard reads "2/8", the second of eight, which is workload 1 and every eighth after it.
func parseShard(s string) (first, step int, err error) {
	if s == "" {
		return 0, 1, nil
	}
	var i, n int
	var more rune
	if k, _ := fmt.Sscanf(s, "%d/%d%c", &i, &n, &more); k != 2 || i < 1 || i > n {
		return 0, 0, fmt.Errorf("--shard %q is not like 2/8, the second of eight", s)
	}
	return i - 1, n, nil
}

func (a *app) fuzzProgress(begin time.Time, z scenarios.Fuzz) func(scenarios.FuzzReport) {
	var last time.Time
	return func(r scenarios.FuzzReport) {
		if now := time.Now(); now.Sub(last) > progressEvery {
			last = now
			spent := now.Sub(begin).Seconds()
			fmt.Fprintf(a.stderr, "\r%.0fs: %d of %d workloads, %d runs (%.0f/s)", spent, r.Workloads, z.Workloads, r.Executions, float64(r.Executions)/spent)
		}
	}
}

// fuzzOf words what was drawn.
func fuzzOf(z scenarios.Fuzz) string {
	text := fmt.Sprintf("seed=%d", z.Seed)
	if z.Step > 1 {
		text += fmt.Sprintf("  shard=%d/%d", z.First+1, z.Step)
	}
	return text
}

func (a *app) fuzzText(z scenarios.Fuzz, r scenarios.FuzzReport, spent time.Duration) {
	if v := r.Failed; v != nil {
		_ = report.Text(a.stdout, input(v.Shown, v.Report.Found, fmt.Sprintf("%s  workload %d  strategy=%s", fuzzOf(z), r.Number, v.Strategy)))
		if program, _ := v.Case.Names(); v.Shown.Scenario != v.Case.Scenario {
			fmt.Fprintf(a.stdout, "it was drawn as %s\n", program)
		}
		fmt.Fprintln(a.stdout)
	}
	outcome := "no failure"
	switch {
	case r.Failed != nil:
		outcome = "a failure"
	case r.Workloads < z.Workloads:
		outcome = "interrupted, no failure"
	}
	fmt.Fprintf(a.stdout, "%s of %s  %s: %s of %s, %s, %s (%.0f/s)\n", outcome, readable(z.Design, z.Fixes), fuzzOf(z),
		plural(r.Executions, "execution"), plural(r.Workloads, "workload"), plural(r.Steps, "operation"), seconds(spent),
		float64(r.Executions)/max(spent.Seconds(), 1e-3))
}

func variantOf(z scenarios.Fuzz) string {
	name := z.Design.Name
	for _, f := range z.Fixes.Names() {
		name += "+" + f
	}
	return name
}

// fuzzOutput is what --json prints of a fuzz, see docs/usage.md.
type fuzzOutput struct {
	Design     string       `json:"design"`
	Seed       uint64       `json:"seed"`
	First      int          `json:"first"`
	Step       int          `json:"step"`
	Workloads  int          `json:"workloads"`
	Executions int          `json:"executions"`
	Operations int          `json:"operations"`
	Failure    *fuzzFailure `json:"failure,omitempty"`
}

type fuzzFailure struct {
	Workload int    `json:"workload"`
	Drawn    string `json:"drawn"`
	Kind     string `json:"kind"`
	Message  string `json:"message"`
	Replay   string `json:"replay"`
}

func (a *app) fuzzJSON(z scenarios.Fuzz, r scenarios.FuzzReport) {
	out := fuzzOutput{Design: variantOf(z), Seed: z.Seed, First: z.First, Step: z.Step,
		Workloads: r.Workloads, Executions: r.Executions, Operations: r.Steps}
	if v := r.Failed; v != nil {
		f := v.Report.Found
		out.Failure = &fuzzFailure{r.Number, v.Case.Scenario.Name, string(f.Failure.Kind), f.Failure.Message, replayString(v.Shown, f)}
	}
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(out)
}
