package main

import (
	"fmt"
	"strings"

	"dmasim/scenarios"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/report"
	"dmasim/token"
)

// replayCommand is what a report tells people to run.
const replayCommand = "go run ./cmd/dmasim replay"

// input is the report of a run of a case, from check and from replay alike.
func input(c scenarios.Case, f *explore.Found, origin string) report.Input {
	program, _ := c.Names()
	in := report.Input{Scenario: program, Design: readable(c.Design, c.Fixes), Origin: origin, Found: f}
	if f.Failure != nil {
		in.Notes = []string{note(c, f.Failure.Kind)}
	}
	command, whyNot := again(c)
	if whyNot != "" {
		in.Notes = append(in.Notes, whyNot)
		return in
	}
	in.Command, in.Replay = command, replayString(c, f)
	for _, o := range f.Others {
		in.Others = append(in.Others, replayString(c, &explore.Found{Fingerprint: f.Fingerprint, Schedule: o.Schedule, Hash: o.Hash}))
	}
	return in
}

// readable is a variant for people: where most repairs are on, it tells which are not.
func readable(d *scenarios.Design, on token.Fix) string {
	off := (token.AllFixes() &^ (on | d.Fixes)).Names()
	switch {
	case len(on.Names()) <= len(off):
		return strings.Join(append([]string{d.Name}, on.Names()...), "+")
	case len(off) == 0:
		return d.Name + " with all repairs"
	}
	return d.Name + " with all repairs but " + strings.Join(off, ", ")
}

func replayString(c scenarios.Case, f *explore.Found) string {
	program, variant := c.Names()
	return sim.Replay{Fingerprint: f.Fingerprint, Program: program, Variant: variant,
		Schedule: f.Schedule, Hash: uint32(f.Hash)}.String()
}

// note tells whether the failure is the expected one, and what repairs it.
func note(c scenarios.Case, kind sim.Kind) string {
	known, repaired := false, []string{}
	for _, f := range c.Repairs(kind) {
		known = true
		repaired = append(repaired, f.Names()...)
	}
	variant := readable(c.Design, c.Fixes)
	switch {
	case known && len(repaired) > 0:
		return fmt.Sprintf("expected of %s in this scenario; repaired by --fix %s", variant, strings.Join(repaired, ","))
	case known:
		return fmt.Sprintf("expected of %s in this scenario", variant)
	}
	return fmt.Sprintf("NOT EXPECTED: the verdict expected of %s in this scenario is: %s", variant, expectation(c))
}
