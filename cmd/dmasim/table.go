package main

import (
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"dmasim/scenarios"
	"dmasim/sim/explore"
)

// table writes the verdicts by scenario and design. A cell ends in '!' if its
// verdict is not the expected one, and is '-' if the case was not begun.
func (p *plan) table(w io.Writer, verdicts []*scenarios.Verdict) {
	var programs, variants []string
	cells := map[[2]string]string{}
	promised := map[string]string{}
	for i, c := range p.cases {
		program, _ := c.Names()
		variant := readable(c.Design, c.Fixes)
		if !slices.Contains(programs, program) {
			programs = append(programs, program)
		}
		if !slices.Contains(variants, variant) {
			variants = append(variants, variant)
		}
		promise := c.Scenario.Promise(p.level)
		cells[[2]string{program, variant}] = cell(verdicts[i], promise)
		promised[program] = promise.String()
	}
	rows := [][]string{slices.Concat([]string{"scenario"}, variants, []string{"coverage"})}
	for _, program := range programs {
		row := []string{program}
		for _, variant := range variants {
			row = append(row, cells[[2]string{program, variant}])
		}
		rows = append(rows, append(row, promised[program]))
	}
	columns(w, "", rows)
}

// cell is a verdict in a row whose last column is the promise of the scenario.
func cell(v *scenarios.Verdict, promise explore.Coverage) string {
	if v == nil {
		return "-"
	}
	s := v.Outcome
	switch {
	case v.Report.Found != nil:
		s = "FAIL " + string(v.Report.Found.Failure.Kind)
	case v.Outcome == "pass" && v.Report.Coverage.Bound == explore.All && promise.Bound != explore.All:
		s = "pass (all)" // more than was promised
	case v.Outcome == "pass" && v.Promised != promise:
		s = "pass (" + v.Promised.String() + ")" // less, see Scenario.FullOf
	case v.Outcome == "incomplete":
		s = "incomplete (" + v.Report.Coverage.String() + ")"
	}
	if !v.AsExpected && v.Outcome != "incomplete" {
		s += " !"
	}
	return s
}

// columns writes rows of cells, aligned.
func columns(w io.Writer, indent string, rows [][]string) {
	var widths []int
	for _, r := range rows {
		for i, c := range r {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	for _, r := range rows {
		line := indent
		for i, c := range r {
			line += c + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c)+2)
		}
		io.WriteString(w, strings.TrimRight(line, " ")+"\n")
	}
}
