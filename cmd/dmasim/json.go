package main

import (
	"math"

	"dmasim/scenarios"
	"dmasim/sim/report"
)

// verdictJSON is one line of check --json.
type verdictJSON struct {
	Scenario   string          `json:"scenario"`
	Design     string          `json:"design"`
	Fixes      []string        `json:"fixes"`
	Strategy   string          `json:"strategy"`
	Backend    string          `json:"backend,omitempty"`
	Seed       *uint64         `json:"seed,omitempty"`
	Verdict    string          `json:"verdict"`
	Expected   string          `json:"expected"`
	AsExpected bool            `json:"as_expected"`
	Coverage   string          `json:"coverage"`
	Promised   string          `json:"promised"`
	Complete   bool            `json:"complete"`
	Executions int             `json:"executions"`
	Steps      int             `json:"steps"`
	Seconds    float64         `json:"seconds"`
	Abandoned  int             `json:"abandoned"`
	Depth      int             `json:"depth"`
	Ended      string          `json:"ended"`
	Traces     int             `json:"traces"`
	Unseen     *float64        `json:"unseen,omitempty"`
	Promise    string          `json:"promise,omitempty"`
	Failure    *report.Failure `json:"failure,omitempty"`
}

func (p *plan) verdictJSON(v *scenarios.Verdict) verdictJSON {
	program, _ := v.Case.Names()
	r := v.Report
	o := verdictJSON{
		Scenario: program, Design: v.Case.Design.Name, Fixes: v.Case.Fixes.Names(), Strategy: v.Strategy, Backend: p.backend,
		Verdict: v.Outcome, Expected: expectedVerdict(v.Case), AsExpected: v.AsExpected,
		Coverage: r.Coverage.String(), Promised: v.Promised.String(), Complete: r.Coverage.Reaches(v.Promised),
		Executions: r.Executions, Steps: r.Steps, Seconds: math.Round(r.Elapsed.Seconds()*1e6) / 1e6,
	}
	o.Abandoned, o.Depth, o.Ended, o.Promise, o.Traces = r.Abandoned, r.Longest, r.Ended, r.Promise, r.Traces
	if strategyDocs[v.Strategy].sampler {
		o.Seed, o.Unseen = &p.seed, &r.Unseen
	}
	if r.Found != nil {
		o.Failure = report.NewFailure(input(v.Shown, r.Found, ""))
	}
	return o
}

// replayJSON is the line of replay --json.
type replayJSON struct {
	Scenario string   `json:"scenario"`
	Design   string   `json:"design"`
	Fixes    []string `json:"fixes"`
	Strategy string   `json:"strategy"`
	Verdict  string   `json:"verdict"`
	Expected string   `json:"expected"`
	// Same tells whether the run is the recorded one; if not, Differences says why.
	Same        bool            `json:"same"`
	Differences []string        `json:"differences"`
	Steps       int             `json:"steps"`
	Failure     *report.Failure `json:"failure,omitempty"`
	Fences      *[]fenceJSON    `json:"fences,omitempty"` // with --fences
}

// fenceJSON is a fence that was published in the run, and what its signal depended on.
type fenceJSON struct {
	Fence     string     `json:"fence"`
	Published placeJSON  `json:"published"`
	Signalled *placeJSON `json:"signalled,omitempty"`
	// Unasked says that it was signalled when nobody had asked for that.
	Unasked bool        `json:"unasked,omitempty"`
	Depends []dependsOn `json:"depends"`
}

// placeJSON is a task and a step, 0 in the set-up.
type placeJSON struct {
	Task string `json:"task"`
	Name string `json:"name"`
	Step int    `json:"step"`
}

// dependsOn is what a signal depended on of a task.
type dependsOn struct {
	Task string `json:"task"`
	Name string `json:"name"`
	Kind string `json:"kind"`
	// By is the index of the one that depended on it, -1 for the signal, and How says how.
	By    int        `json:"by"`
	How   string     `json:"how"`
	Notes []noteJSON `json:"notes"`
}

// noteJSON is what can keep the task waiting.
type noteJSON struct {
	Kind string `json:"kind"`
	Step int    `json:"step"`
	Text string `json:"text"`
}
