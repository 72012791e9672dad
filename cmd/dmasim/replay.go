package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"dmasim/scenarios"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/report"
)

func (a *app) replay(args []string) (int, error) {
	fs := flags("replay")
	follow := fs.Bool("follow", false, "")
	fullTrace := fs.Bool("full-trace", false, "")
	fences := fs.Bool("fences", false, "")
	var without string
	fs.Var(list{&without}, "without", "")
	asJSON := fs.Bool("json", false, "")
	var backend, drive string
	fs.Var(&once{value: &backend}, "backend", "")
	fs.Var(&once{value: &drive}, "drive", "")
	rest, err := parse(fs, args)
	switch {
	case err != nil:
		return 0, err
	case len(rest) != 1:
		return 0, fmt.Errorf("it takes one replay string, not %d arguments; quote the string for the shell", len(rest))
	case *asJSON && *fullTrace:
		return 0, fmt.Errorf("--json has the whole trace anyway; leave --full-trace out")
	}
	off, err := detectors(without)
	if err != nil {
		return 0, err
	}
	recorded, err := sim.ParseReplay(rest[0])
	if err != nil {
		return 0, err
	}
	c, err := scenarios.ParseCase(recorded.Program, recorded.Variant)
	if err != nil {
		return 0, err
	}
	if backend == "real-overlapped" {
		return 0, errors.New("what was found with --backend real-overlapped is not replayable; --backend real repeats what model and real found")
	}
	real, err := openBackend(backend, drive, nil)
	if err != nil {
		return 0, err
	}
	if real != nil {
		c.Real = real
		defer real.Close()
	}
	c.Without = off
	m := sim.NewMachine()
	defer m.Close()
	again, err := repeat(m, c, recorded, *follow)
	if err == nil && real != nil {
		err = real.Err()
	}
	if err != nil {
		return 0, err
	}
	if *asJSON {
		err = again.json(a, *fences)
	} else {
		err = again.text(a, *fullTrace)
		if real != nil {
			printReal(a.stdout, real)
		}
	}
	if err == nil && *fences && !*asJSON {
		err = a.fences(m)
	}
	if err != nil {
		return 0, err
	}
	switch {
	case again.same(), *follow && again.found.Failure != nil:
		return exitOK, nil
	}
	return exitDiffers, nil
}

// repetition is a run that followed a replay string.
type repetition struct {
	c        scenarios.Case
	found    *explore.Found
	follow   bool
	recorded sim.Replay
	diverged string
	unused   string
}

func repeat(m *sim.Machine, c scenarios.Case, recorded sim.Replay, follow bool) (*repetition, error) {
	body := c.Program()
	now := explore.FingerprintOf(m, body)
	if now != recorded.Fingerprint && !follow {
		return nil, fmt.Errorf("the model has changed since this run was recorded (fingerprint %04x then, %04x now), so its step numbers may mean something else; --follow replays it as far as it goes", recorded.Fingerprint, now)
	}
	m.Trace(true)
	s := explore.NewReplay(recorded.Schedule)
	r := m.Run(s, body)
	f := &explore.Found{Failure: r.Failure, Schedule: r.Schedule(), Hash: r.Hash, Fingerprint: now, Machine: m, Steps: r.Steps}
	if f.Failure == nil && r.Branching == 0 {
		// The one finding of an exploration that is not in a run itself.
		f.Failure = &sim.Failure{Kind: sim.NoSchedulingPoints,
			Message: "at no point could more than one task run: there is nothing to explore"}
	}
	return &repetition{c: c, found: f, follow: follow, recorded: recorded, diverged: s.Diverged, unused: s.Unused()}, nil
}

func (r *repetition) same() bool {
	return uint32(r.found.Hash) == r.recorded.Hash && r.found.Fingerprint == r.recorded.Fingerprint &&
		r.diverged == "" && r.unused == ""
}

// differences say how the run is not the recorded one.
func (r *repetition) differences() []string {
	if r.same() {
		return []string{}
	}
	var out []string
	if now := r.found.Fingerprint; now != r.recorded.Fingerprint {
		out = append(out, fmt.Sprintf("the model has changed: fingerprint %04x then, %04x now", r.recorded.Fingerprint, now))
	}
	if now := uint32(r.found.Hash); now != r.recorded.Hash {
		out = append(out, fmt.Sprintf("the trace is another one: hash %08x then, %08x now", r.recorded.Hash, now))
	}
	if r.diverged != "" {
		out = append(out, "diverged at "+r.diverged)
	}
	if r.unused != "" {
		out = append(out, r.unused)
	}
	if r.diverged == "" && r.unused == "" {
		out = append(out, "the schedule could be followed to its end")
	}
	return out
}

func (r *repetition) text(a *app, fullTrace bool) error {
	in := input(r.c, r.found, "strategy=replay")
	if err := report.Text(a.stdout, in); err != nil {
		return err
	}
	if fullTrace {
		fmt.Fprintln(a.stdout)
		if err := report.Full(a.stdout, in); err != nil {
			return err
		}
	}
	fmt.Fprintln(a.stdout)
	if r.same() {
		fmt.Fprintln(a.stdout, "replayed: same trace, same outcome")
		return nil
	}
	outcome := "it passes"
	if f := r.found.Failure; f != nil {
		outcome = "it fails with " + string(f.Kind)
	}
	if r.follow {
		fmt.Fprintf(a.stdout, "followed: not the recorded run, %s\n", outcome)
	} else {
		fmt.Fprintf(a.stdout, "replayed: NOT the recorded run, %s\n", outcome)
	}
	for _, d := range r.differences() {
		for i, l := range report.Wrap(d, report.Width-4) {
			indent := "  "
			if i > 0 {
				indent = "    "
			}
			fmt.Fprintln(a.stdout, indent+l)
		}
	}
	return nil
}

func (r *repetition) json(a *app, fences bool) error {
	program, _ := r.c.Names()
	o := replayJSON{Scenario: program, Design: r.c.Design.Name, Fixes: r.c.Fixes.Names(), Strategy: "replay",
		Verdict: "pass", Expected: expectedVerdict(r.c), Same: r.same(), Differences: r.differences(), Steps: r.found.Steps}
	if r.found.Failure != nil {
		o.Verdict = "fail"
		o.Failure = report.NewFailure(input(r.c, r.found, ""))
	}
	if fences {
		all := fencesJSON(r.found.Machine)
		o.Fences = &all
	}
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(o)
}
