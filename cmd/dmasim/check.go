package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"dmasim/scenarios"
)

func (a *app) check(args []string) (int, error) {
	var f checkFlags
	fs := flags("check")
	fs.Var(&once{value: &f.design}, "design", "")
	fs.Var(list{&f.fix}, "fix", "")
	fs.Var(list{&f.without}, "without", "")
	fs.Var(&once{value: &f.strategy}, "strategy", "")
	fs.Var(&once{value: &f.budget}, "budget", "")
	fs.Var(&once{value: &f.backend}, "backend", "")
	fs.Var(&once{value: &f.drive}, "drive", "")
	fs.Uint64Var(&f.seed, "seed", 1, "")
	fs.BoolVar(&f.full, "full", false, "")
	fs.BoolVar(&f.json, "json", false, "")
	names, err := parse(fs, args)
	if err != nil {
		return 0, err
	}
	f.given = map[string]bool{}
	fs.Visit(func(x *flag.Flag) { f.given[x.Name] = true })
	p, err := newPlan(f, names)
	if err != nil {
		return 0, err
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second interrupt ends the process at once
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	real, err := openBackend(f.backend, f.drive, func(error) { cancel() })
	if err != nil {
		return 0, err
	}
	p.on(f.backend, real)

	each := func(*scenarios.Verdict) {}
	if f.json {
		enc := json.NewEncoder(a.stdout)
		enc.SetEscapeHTML(false)
		each = func(v *scenarios.Verdict) { _ = enc.Encode(p.verdictJSON(v)) }
	}
	bar := newProgress(a.stderr, a.tty, len(p.cases))
	verdicts := p.run(ctx, bar, each)
	bar.end()
	if real != nil {
		if err := errors.Join(real.Err(), real.Close()); err != nil {
			return 0, err
		}
	}
	if !f.json {
		p.print(a.stdout, verdicts)
		if real != nil {
			printReal(a.stdout, real)
		}
	}
	for _, v := range verdicts {
		if v != nil && v.Report.Found != nil {
			v.Report.Found.Machine.Close()
		}
	}
	if ctx.Err() != nil {
		n := 0
		for _, v := range verdicts {
			if v != nil && v.Outcome != "incomplete" {
				n++
			}
		}
		fmt.Fprintf(a.stderr, "dmasim check: interrupted when %d of %d cases were done\n", n, len(verdicts))
	}
	return exitStatus(verdicts), nil
}

// exitStatus is the status for a list of verdicts, in which nil is a case that was
// not begun. What has no meaning counts more than what differs.
func exitStatus(verdicts []*scenarios.Verdict) int {
	status := exitOK
	for _, v := range verdicts {
		switch {
		case v == nil || v.Outcome == "incomplete":
			if status == exitOK {
				status = exitIncomplete
			}
		case v.Report.Found != nil && v.Report.Found.Failure.Senseless:
			return exitUnusable
		case !v.AsExpected:
			status = exitDiffers
		}
	}
	return status
}
