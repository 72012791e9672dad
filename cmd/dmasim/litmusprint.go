package main

import (
	"fmt"
	"io"
	"strconv"

	"dmasim/sim/litmus"
)

// print writes what came of a program for people.
func (f litmusFile) print(w io.Writer, how string, r *litmus.Result) {
	fmt.Fprintf(w, "%s  %s\n", f.name, how)
	holding := f.table(w, r)
	spent := fmt.Sprintf("%s, %s", plural(r.Executions, "execution"), plural(r.Deadlocks, "deadlock"))
	if r.Blocked > 0 {
		spent += fmt.Sprintf(", %d given up", r.Blocked)
	}
	if r.Complete {
		fmt.Fprintf(w, "%s, complete\n", spent)
	} else {
		fmt.Fprintf(w, "%s, not complete: there may be more states\n", spent)
	}
	if c := f.p.Condition; c != nil {
		fmt.Fprintf(w, "%s: %t, it holds in %d of %s\n", c, r.True(c), holding, plural(len(r.States), "state"))
	}
	if r.Deadlock != nil {
		f.finding(w, r.Deadlock)
	}
	if r.Failure != nil {
		f.finding(w, r.Failure)
	}
}

// table writes the final states. It marks those in which the condition holds, and
// returns their number.
func (f litmusFile) table(w io.Writer, r *litmus.Result) int {
	if len(r.States) == 0 {
		fmt.Fprintln(w, "  no final state")
		return 0
	}
	holding := 0
	rows := [][]string{append([]string{"count"}, r.States[0].Keys...)}
	for _, s := range r.States {
		row := []string{strconv.Itoa(s.Count)}
		for _, v := range s.Values {
			row = append(row, strconv.FormatInt(v, 10))
		}
		if c := f.p.Condition; c != nil && c.Holds(s.State) {
			row = append(row, "*")
			holding++
		}
		rows = append(rows, row)
	}
	columns(w, "  ", rows)
	return holding
}

// finding draws a run that did not come to a final state, one column per task.
func (f litmusFile) finding(w io.Writer, x *litmus.Finding) {
	word := "FAIL " + string(x.Failure.Kind)
	if x.Failure.Kind.Hangs() {
		word = "a deadlock" // one of them, and no failure
	}
	fmt.Fprintf(w, "%s: %s\n", word, x.Failure.Message)
	var rows [][]string
	row := func(d litmus.Done, mark string) {
		cells := make([]string, len(f.p.Tasks)+1)
		cells[d.Task], cells[len(f.p.Tasks)] = d.Op.String(), mark
		rows = append(rows, cells)
	}
	header := make([]string, len(f.p.Tasks))
	for i := range header {
		header[i] = fmt.Sprintf("task %d", i)
	}
	rows = append(rows, header)
	for i, d := range x.Trace {
		mark := ""
		if i == len(x.Trace)-1 && len(x.Waiting) == 0 {
			mark = "<-- " + string(x.Failure.Kind)
		}
		row(d, mark)
	}
	for _, d := range x.Waiting {
		row(d, "<-- waits")
	}
	if len(rows) > 1 {
		columns(w, "  ", rows)
	}
	if s := x.Schedule.String(); s == "" {
		fmt.Fprintln(w, "  schedule: the default one")
	} else {
		fmt.Fprintf(w, "  schedule: %s (where task 0 is 1)\n", s) // 0 is the set-up
	}
}
