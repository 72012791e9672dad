package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"

	"dmasim/scenarios"
	"dmasim/sim/explore"
	"dmasim/sim/report"
)

// coverage shows which steps of the specification the scenarios come to, and which pairs of
// steps met in both orders.
func (a *app) coverage(args []string) (int, error) {
	fs := flags("coverage")
	var design string
	fs.Var(&once{value: &design}, "design", "")
	runs := fs.Int("runs", 0, "")
	walks := fs.Int("walks", 0, "")
	seed := fs.Uint64("seed", 1, "")
	asJSON := fs.Bool("json", false, "")
	names, err := parse(fs, args)
	if err != nil {
		return 0, err
	}
	if *runs < 0 {
		return 0, fmt.Errorf("--runs %d: a number of runs of drawn workloads is 0 or more", *runs)
	}
	if *walks < 0 {
		return 0, fmt.Errorf("--walks %d: a number of random walks of each scenario is 0 or more", *walks)
	}
	of := []string{design}
	if design == "" { // as posted, and what is behind the first defects
		of = []string{"rfc-v2", "rfc-v2-repaired"}
	}
	var designs []*scenarios.Design
	for _, n := range of {
		d, err := scenarios.FindDesign(n)
		if err != nil {
			return 0, err
		}
		designs = append(designs, d)
	}
	all := scenarios.All()
	if len(names) > 0 {
		all = nil
		for _, n := range names {
			s, err := scenarios.Find(n)
			if err != nil {
				return 0, err
			}
			all = append(all, s)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	c, err := scenarios.CoverSteps(ctx, all, explore.Coverage{}, designs...)
	if err == nil && *walks > 0 {
		err = c.CoverWalks(ctx, all, *seed, *walks, designs...)
	}
	if err == nil && *runs > 0 {
		err = c.CoverDrawn(ctx, &scenarios.Fuzz{Design: designs[len(designs)-1], Seed: *seed}, *runs)
	}
	if err != nil {
		fmt.Fprintf(a.stderr, "dmasim coverage: interrupted after %d runs\n", c.Runs)
		return exitIncomplete, nil
	}
	whole := len(names) == 0 && design == ""
	sampled := *runs > 0 || *walks > 0
	if *asJSON {
		a.coverageJSON(c, whole, sampled)
	} else {
		a.coverageText(c, whole, sampled)
	}
	return exitOK, nil
}

func (a *app) coverageText(c *scenarios.StepCoverage, whole, sampled bool) {
	w := a.stdout
	rows := [][]string{{"step", "runs", "seen first in"}}
	for _, s := range scenarios.Steps() {
		if n := c.Steps[s.Name]; n > 0 {
			rows = append(rows, []string{s.Name, strconv.Itoa(n), c.First[s.Name]})
		}
	}
	columns(w, "", rows)
	fmt.Fprintln(w)
	rows = [][]string{{"step of one task", "step of another", "at", "in this order", "in the other", "why not both"}}
	both := 0
	for _, p := range c.Sorted() {
		x := c.Pairs[p]
		rows = append(rows, []string{p[0], p[1], x.Object, strconv.Itoa(x.Forth), back(p, x), whyNot(p, x, whole, sampled)})
		if x.Forth > 0 && x.Back > 0 {
			both++
		}
	}
	columns(w, "", rows)
	apart := c.NeverMet()
	if len(apart) > 0 {
		fmt.Fprintln(w)
		rows = [][]string{{"step of one task", "step of another", "both at", "times", "why they never met"}}
		for _, p := range apart {
			x := c.Apart[p]
			rows = append(rows, []string{p[0], p[1], x.Object, strconv.Itoa(x.Forth), whyApart(p, whole, sampled)})
		}
		columns(w, "", rows)
	}
	fmt.Fprintf(w, "\n%d runs; %d of %d steps reached, %d cannot be; %d pairs of steps met, %d of them in both orders; %d more used one object\n",
		c.Runs, reached(c), len(scenarios.Steps()), unreachable(), len(c.Pairs), both, len(apart))
	if missing := c.Missing(); len(missing) > 0 {
		for i, l := range report.Wrap("not reached: "+strings.Join(missing, ", "), 96) {
			fmt.Fprintf(w, "%s%s\n", strings.Repeat(" ", 2*min(i, 1)), l)
		}
	}
}

// whyNot says why two steps met in one order only. Where not all scenarios were explored others may
// have the other order, and where workloads were drawn further ones.
func whyNot(p [2]string, x *scenarios.Pair, whole, sampled bool) string {
	if p[0] == p[1] || x.Forth > 0 && x.Back > 0 {
		return ""
	}
	if x.Forth == 0 {
		p[0], p[1] = p[1], p[0]
	}
	if m, ok := scenarios.Meetings()[p]; ok {
		return m.String()
	}
	return noReason(whole, sampled)
}

// whyApart says why two steps that used one object never met there.
func whyApart(p [2]string, whole, sampled bool) string {
	if m, ok := scenarios.Separations()[p]; ok {
		return m.String()
	}
	return noReason(whole, sampled)
}

func noReason(whole, sampled bool) string {
	switch {
	case sampled:
		return "no run that was drawn has it"
	case whole:
		return "nobody has said why"
	}
	return "other scenarios have it"
}

func back(p [2]string, x *scenarios.Pair) string {
	if p[0] == p[1] {
		return "-"
	}
	return strconv.Itoa(x.Back)
}

func reached(c *scenarios.StepCoverage) (n int) {
	for _, s := range scenarios.Steps() {
		if c.Steps[s.Name] > 0 {
			n++
		}
	}
	return n
}

func unreachable() (n int) {
	for _, s := range scenarios.Steps() {
		if s.Unreachable != "" {
			n++
		}
	}
	return n
}

// stepJSON and pairJSON are the lines of coverage --json.
type stepJSON struct {
	Type        string `json:"type"`
	Step        string `json:"step"`
	Runs        int    `json:"runs"`
	First       string `json:"first,omitempty"`
	Unreachable string `json:"unreachable,omitempty"`
}

type pairJSON struct {
	Type   string    `json:"type"`
	Steps  [2]string `json:"steps"`
	Object string    `json:"object"`
	Forth  int       `json:"forth"`
	Back   int       `json:"back"`
	Why    string    `json:"why,omitempty"`
}

func (a *app) coverageJSON(c *scenarios.StepCoverage, whole, sampled bool) {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	for _, s := range scenarios.Steps() {
		_ = enc.Encode(stepJSON{"step", s.Name, c.Steps[s.Name], c.First[s.Name], s.Unreachable}) // the writer keeps the error
	}
	for _, p := range c.NeverMet() {
		x := c.Apart[p]
		_ = enc.Encode(pairJSON{"apart", p, x.Object, x.Forth, 0, whyApart(p, whole, sampled)})
	}
	for _, p := range c.Sorted() {
		x := c.Pairs[p]
		_ = enc.Encode(pairJSON{"pair", p, x.Object, x.Forth, x.Back, whyNot(p, x, whole, sampled)})
	}
}
