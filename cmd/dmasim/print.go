package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"dmasim/scenarios"
	"dmasim/sim/explore"
	"dmasim/sim/report"
)

// print writes the verdicts for people: one case at length; of many cases, what
// is not as expected at length, and the rest as a table.
func (p *plan) print(w io.Writer, verdicts []*scenarios.Verdict) {
	if len(verdicts) == 1 {
		if v := verdicts[0]; v != nil {
			p.printVerdict(w, v)
		}
		return
	}
	p.printExpected(w, verdicts)
	for _, v := range verdicts {
		if v != nil && !v.AsExpected && v.Outcome != "incomplete" {
			p.printVerdict(w, v)
			fmt.Fprintln(w)
		}
	}
	p.table(w, verdicts)
	fmt.Fprintln(w)
	p.printSummary(w, verdicts)
}

// printExpected names the expected failures, with the strings that show them.
func (p *plan) printExpected(w io.Writer, verdicts []*scenarios.Verdict) {
	var rows [][]string
	for _, v := range verdicts {
		if v == nil || v.Report.Found == nil || !v.AsExpected {
			continue
		}
		program, variant := v.Case.Names()
		row := []string{program, variant, string(v.Report.Found.Failure.Kind)}
		if p.whyNot == "" {
			row = append(row, "'"+replayString(v.Shown, v.Report.Found)+"'")
		}
		rows = append(rows, row)
	}
	if len(rows) > 0 {
		how := p.whyNot
		if how == "" {
			how = p.command + " STRING draws one"
		}
		fmt.Fprintf(w, "expected failures; %s:\n", how)
		columns(w, "  ", rows)
		fmt.Fprintln(w)
	}
}

func (p *plan) printVerdict(w io.Writer, v *scenarios.Verdict) {
	r := v.Report
	program, _ := v.Case.Names()
	variant := readable(v.Case.Design, v.Case.Fixes)
	if r.Found != nil {
		_ = report.Text(w, input(v.Shown, r.Found, fmt.Sprintf("%s  execution %d", p.how(v.Strategy), r.Found.Execution)))
		return
	}
	fmt.Fprintf(w, "%s %s  design=%s  %s\n", v.Outcome, program, variant, p.how(v.Strategy))
	spent := fmt.Sprintf("%s, %s, at most %d in one, %s", plural(r.Executions, "execution"),
		plural(r.Steps, "operation"), r.Longest, seconds(r.Elapsed))
	if v.Outcome == "pass" {
		fmt.Fprintf(w, "no failure in %s: %s\n", meaning(r.Coverage), spent)
	} else {
		fmt.Fprintf(w, "no failure, but covered is %s, and promised %s: %s\n", r.Coverage, v.Promised, spent)
		fmt.Fprintf(w, "it ended for: %s\n", r.Ended)
	}
	if strategyDocs[v.Strategy].sampler {
		unseen := fmt.Sprintf("%.2g", r.Unseen)
		if r.Unseen == 0 { // no trace was seen only once: that is as much as it says
			unseen = fmt.Sprintf("below %.2g", 1/float64(r.Executions))
		}
		fmt.Fprintf(w, "%s seen; the next run shows a new one with an estimated probability of %s\n", plural(r.Traces, "distinct trace"), unseen)
	} else if r.Abandoned > 0 {
		fmt.Fprintf(w, "%s more were given up, since they could only repeat others\n", plural(r.Abandoned, "run"))
	}
	if r.Promise != "" {
		for _, l := range report.Wrap(r.Promise, report.Width) {
			fmt.Fprintln(w, l)
		}
	}
	if !v.AsExpected && v.Outcome == "pass" {
		fmt.Fprintf(w, "NOT EXPECTED: the verdict expected of %s in this scenario is: %s\n", variant, expectation(v.Case))
	}
}

// how names a strategy, with its seed if it has one.
func (p *plan) how(strategy string) string {
	if strategyDocs[strategy].sampler {
		return fmt.Sprintf("strategy=%s  seed=%d", strategy, p.seed)
	}
	return "strategy=" + strategy
}

// meaning says what was looked at where nothing was found.
func meaning(c explore.Coverage) string {
	switch c.Bound {
	case explore.All:
		return "any schedule, all of which were explored"
	case explore.Delays, explore.Preemptions:
		return fmt.Sprintf("any schedule with %s", c)
	}
	return "the schedules that were sampled"
}

func (p *plan) printSummary(w io.Writer, verdicts []*scenarios.Verdict) {
	var expected, differ, incomplete, executions int
	var took time.Duration
	used := map[string]bool{}
	where := "in the last column"
	for _, v := range verdicts {
		switch {
		case v == nil || v.Outcome == "incomplete":
			incomplete++
		case v.AsExpected:
			expected++
		default:
			differ++
		}
		if v != nil {
			executions += v.Report.Executions
			took += v.Report.Elapsed
			used[v.Strategy] = true
			if strings.HasPrefix(cell(v, v.Case.Scenario.Promise(p.level)), "pass (") {
				where = "in brackets, or else in the last column"
			}
		}
	}
	how := ""
	for _, s := range scenarios.Strategies() {
		if used[s] {
			how += ", " + p.how(s)
		}
	}
	fmt.Fprintf(w, "%s: %d as expected, %d not, %d incomplete; %s in %s of work%s\n", plural(len(verdicts), "verdict"),
		expected, differ, incomplete, plural(executions, "execution"), seconds(took), how)
	fmt.Fprintln(w, "pass means: no failure in any schedule within the coverage "+where)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }
