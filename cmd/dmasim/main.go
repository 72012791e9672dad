// Command dmasim explores the interleavings of dma-buf move_notify with io_uring
// and NVMe I/O, for named races and several designs, and draws what it finds.
//
// See docs/usage.md, or dmasim help.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/term"

	"dmasim/scenarios"
)

// Exit statuses.
const (
	exitOK         = 0 // every verdict is the expected one
	exitDiffers    = 1 // some verdict is another, or a replay is not the recorded run
	exitUnusable   = 2 // the input makes no sense, or the model
	exitIncomplete = 3 // a promised coverage was not reached; nothing differs
)

func main() {
	if os.Getenv("GOGC") == "" { // little is live at a time, and much is made
		debug.SetGCPercent(400)
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr, term.IsTerminal(int(os.Stderr.Fd()))))
}

// app is where a subcommand writes to.
type app struct {
	stdout, stderr io.Writer
	// tty tells whether stderr is a terminal, so that a progress line helps.
	tty bool
}

var commands = []struct {
	name string
	run  func(*app, []string) (int, error)
}{
	{"list", (*app).list},
	{"check", (*app).check},
	{"replay", (*app).replay},
	{"fuzz", (*app).fuzz},
	{"repair", (*app).repair},
	{"coverage", (*app).coverage},
	{"litmus", (*app).litmus},
	{"vet", (*app).vet},
	{"vm", (*app).vm},
	{"help", (*app).help},
}

// run is the whole command: it returns the exit status.
func run(args []string, stdout, stderr io.Writer, tty bool) int {
	out := &output{w: stdout}
	a := &app{out, stderr, tty}
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return exitUnusable
	}
	name := args[0]
	if name == "-h" || name == "-help" || name == "--help" {
		name = "help"
	}
	var known []string
	for _, c := range commands {
		known = append(known, c.name)
		if c.name != name {
			continue
		}
		status, err := c.run(a, args[1:])
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(out, usage)
			return exitOK
		}
		if err == nil && out.err != nil {
			err = fmt.Errorf("the output could not be written: %w", out.err)
		}
		if err != nil {
			fmt.Fprintf(stderr, "dmasim %s: %v\n", name, err)
			return exitUnusable
		}
		return status
	}
	fmt.Fprintf(stderr, "dmasim: there is no command %q; %s\n", name, scenarios.Nearest(name, known))
	return exitUnusable
}

// flags returns an empty set of flags for parse.
func flags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard) // run prints the errors
	fs.Usage = func() {}
	return fs
}

// parse takes flags before, between and after the other arguments, and returns the
// latter.
func parse(fs *flag.FlagSet, args []string) ([]string, error) {
	var rest []string
	for {
		if err := fs.Parse(args); err != nil {
			return nil, flagError(fs, err)
		}
		n := fs.NArg()
		if n == 0 {
			return rest, nil
		}
		if at := len(args) - n; at > 0 && args[at-1] == "--" {
			return append(rest, fs.Args()...), nil
		}
		rest = append(rest, fs.Arg(0))
		args = fs.Args()[1:]
	}
}

// flagError adds the nearest names to an unknown flag.
func flagError(fs *flag.FlagSet, err error) error {
	name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return err
	}
	var known []string
	fs.VisitAll(func(f *flag.Flag) { known = append(known, "--"+f.Name) })
	name = "--" + strings.TrimLeft(name, "-")
	return fmt.Errorf("there is no flag %s; %s", name, scenarios.Nearest(name, known))
}
