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
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/litmus"
)

// litmusFile is a program and where it comes from.
type litmusFile struct {
	name string
	p    *litmus.Program
}

func (a *app) litmus(args []string) (int, error) {
	fs := flags("litmus")
	strategy := fs.String("strategy", "dpor", "")
	budget := fs.String("budget", "", "")
	seed := fs.Uint64("seed", 1, "")
	asJSON := fs.Bool("json", false, "")
	names, err := parse(fs, args)
	if err != nil {
		return 0, err
	}
	if len(names) == 0 {
		return 0, errors.New("it takes the names of files with programs")
	}
	if _, err := newLitmusStrategy(*strategy, *seed); err != nil {
		return 0, err
	}
	opt, err := litmusOptions(*strategy, *budget, isSet(fs, "budget"))
	if err != nil {
		return 0, err
	}
	files, err := readLitmus(names)
	if err != nil {
		return 0, err
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second interrupt ends the process at once

	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	status := exitOK
	for i, f := range files {
		if ctx.Err() != nil {
			fmt.Fprintf(a.stderr, "dmasim litmus: interrupted when %d of %d programs were done\n", i, len(files))
			return max(status, exitIncomplete), nil
		}
		s, _ := newLitmusStrategy(*strategy, *seed) // it was tried above
		r := litmus.Explore(ctx, f.p, s, opt)
		if *asJSON {
			_ = enc.Encode(f.json(*strategy, r))
		} else {
			if i > 0 {
				fmt.Fprintln(a.stdout)
			}
			how := "strategy=" + *strategy
			if strategyDocs[*strategy].sampler {
				how += fmt.Sprintf("  seed=%d", *seed)
			}
			f.print(a.stdout, how, r)
		}
		switch {
		case r.Failure != nil:
			status = exitDiffers
		case !r.Complete && status == exitOK:
			status = exitIncomplete
		}
	}
	return status, nil
}

// newLitmusStrategy returns a strategy by name. What a litmus program promises is all
// there is.
func newLitmusStrategy(name string, seed uint64) (explore.Strategy, error) {
	switch name { // litmus programs are small enough to be exhausted by either
	case "dpor":
		return explore.NewDPOR(), nil
	case "dfs":
		return explore.NewDFS(explore.Coverage{Bound: explore.All}), nil
	}
	return scenarios.NewStrategy(name, seed, explore.Coverage{Bound: explore.All})
}

func litmusOptions(strategy, budget string, given bool) (litmus.Options, error) {
	var opt litmus.Options
	var err error
	switch {
	case given:
		opt.Runs, opt.Time, err = parseBudget(budget)
	case strategyDocs[strategy].sampler:
		opt.Runs = sampleBudget
	}
	return opt, err
}

// readLitmus reads all programs before any of them runs.
func readLitmus(names []string) ([]litmusFile, error) {
	var out []litmusFile
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		p, err := litmus.Parse(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s:%w", name, err) // the error begins with line and column
		}
		out = append(out, litmusFile{name, p})
	}
	return out, nil
}

// litmusJSON is one line of litmus --json.
type litmusJSON struct {
	File       string        `json:"file"`
	Strategy   string        `json:"strategy"`
	Executions int           `json:"executions"`
	Blocked    int           `json:"blocked"`
	Deadlocks  int           `json:"deadlocks"`
	Complete   bool          `json:"complete"`
	States     []litmusState `json:"states"`
	// Exists is the truth of the condition as it is written, nil without one.
	Exists  *bool          `json:"exists"`
	Failure *litmusFailure `json:"failure,omitempty"`
}

type litmusState struct {
	Values map[string]int64 `json:"values"`
	Count  int              `json:"count"`
}

type litmusFailure struct {
	Kind     sim.Kind `json:"kind"`
	Message  string   `json:"message"`
	Schedule string   `json:"schedule"`
}

func (f litmusFile) json(strategy string, r *litmus.Result) litmusJSON {
	o := litmusJSON{File: f.name, Strategy: strategy, Executions: r.Executions, Blocked: r.Blocked,
		Deadlocks: r.Deadlocks, Complete: r.Complete, States: []litmusState{}}
	for _, s := range r.States {
		values := map[string]int64{}
		for i, k := range s.Keys {
			values[k] = s.Values[i]
		}
		o.States = append(o.States, litmusState{values, s.Count})
	}
	if c := f.p.Condition; c != nil {
		truth := r.True(c)
		o.Exists = &truth
	}
	if x := r.Failure; x != nil {
		o.Failure = &litmusFailure{x.Failure.Kind, x.Failure.Message, x.Schedule.String()}
	}
	return o
}

// isSet tells whether the flag was given.
func isSet(fs *flag.FlagSet, name string) bool {
	set := false
	fs.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}
