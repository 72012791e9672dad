package report

import (
	"fmt"
	"io"
	"strings"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// Width is the greatest length of a line, in characters.
const Width = 100

// maxDetail bounds the lines of detail, so that the command stays in sight.
const maxDetail = 24

// Input is what a report is made from.
type Input struct {
	// Scenario and Design name the case, as in its replay string.
	Scenario, Design string
	// Origin tells how the run came about, for the end of the first line:
	// "strategy=dfs  execution 14 of 14". Everything below the first line
	// depends on the run alone, so that a replay prints the same again.
	Origin string
	// Found is the failure, and the machine that holds its trace. A Found
	// without a Failure is a run that passed.
	Found *explore.Found
	// Notes are further lines, printed above the command.
	Notes []string
	// Command is the command that repeats the run, without its argument; Replay
	// is the argument.
	Command, Replay string
	// Others are the arguments for further runs that the failure follows from.
	Others []string
}

// Text writes the report of one run. Its error is that of w.
func Text(w io.Writer, in Input) error {
	return write(w, in, text)
}

// write makes the text first: if that fails, the reader gets what is known
// without it.
func write(w io.Writer, in Input, draw func(Input) []string) error {
	_, err := io.WriteString(w, strings.Join(guarded(in, draw), "\n")+"\n")
	return err
}

func guarded(in Input, draw func(Input) []string) (lines []string) {
	defer func() {
		if r := recover(); r != nil {
			lines = heading(in)
			lines = append(lines, wrap(fmt.Sprintf("(the trace could not be drawn: %v)", r), Width, 3)...)
			lines = append(lines, command(in)...)
		}
	}()
	return draw(in)
}

func text(in Input) []string {
	lines := append(heading(in), "")
	if t := table(in); len(t) > 0 {
		lines = append(append(lines, t...), "")
	}
	lines = append(lines, summary(in)...)
	if f := failure(in); f != nil {
		for i, d := range f.Detail {
			if i == maxDetail && len(f.Detail) > maxDetail+1 {
				lines = append(lines, fmt.Sprintf("  ... %d lines", len(f.Detail)-i))
				break
			}
			lines = append(lines, hang("  ", "    ", d, 4)...)
		}
	}
	for _, n := range in.Notes {
		lines = append(lines, hang("", "  ", n, 4)...)
	}
	lines = append(lines, command(in)...)
	for _, o := range in.Others {
		lines = append(lines, command(Input{Command: in.Command, Replay: o})...)
	}
	return lines
}

// heading is the line that names the case, and the one that says what happened.
func heading(in Input) []string {
	f := failure(in)
	word := "FAIL"
	if f == nil {
		word = "PASS"
	}
	first := word + " " + clean(in.Scenario) + "  design=" + clean(in.Design)
	if in.Origin != "" {
		first += "  " + clean(in.Origin)
	}
	lines := hang("", "  ", first, 4)
	if f == nil {
		return append(lines, "nothing was found in this run")
	}
	return append(lines, hang("", "  ", string(f.Kind)+": "+f.Message, 6)...)
}

func summary(in Input) []string {
	if in.Found == nil {
		return nil
	}
	tasks := 0
	if m := in.Found.Machine; m != nil {
		tasks = max(0, len(m.Tasks())-1) // the first one only sets up
	}
	return []string{fmt.Sprintf("%s, %s, %s",
		count(in.Found.Schedule.Preemptions(), "preemption"), count(tasks, "task"), count(in.Found.Steps, "operation"))}
}

func failure(in Input) *sim.Failure {
	if in.Found == nil {
		return nil
	}
	return in.Found.Failure
}

// command is the line that repeats the run. One that is too long goes on in
// further lines in such a way that a shell takes them for one argument.
func command(in Input) []string {
	if in.Replay == "" && in.Command == "" {
		return nil
	}
	head := "replay: " + fit(clean(in.Command), Width-40) + " "
	rest := []rune(strings.ReplaceAll(clean(in.Replay), "'", ""))
	var lines []string
	for {
		room := Width - len([]rune(head)) - len(`''\`)
		if len(rest) <= room {
			return append(lines, head+"'"+string(rest)+"'")
		}
		lines = append(lines, head+"'"+string(rest[:room])+`'\`)
		head, rest = "", rest[room:]
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
