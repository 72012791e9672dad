package main

import (
	"fmt"
	"io"
	"slices"

	"dmasim/scenarios"
	"dmasim/sim/report"
	"dmasim/uringsim/realhw"
)

// backends are the values of --backend: what moves the bytes.
var backends = []string{"model", "real", "real-overlapped"}

// openBackend makes the backend of that name, nil for the model. drive is a block device for
// it, or empty. failed is called when it fails later.
func openBackend(name, drive string, failed func(error)) (*realhw.Backend, error) {
	if name == "" || name == "model" {
		if drive != "" {
			return nil, fmt.Errorf("--drive %s: the model needs no drive, only --backend real does", drive)
		}
		return nil, nil
	}
	if !slices.Contains(backends, name) {
		return nil, fmt.Errorf("there is no backend %q; %s", name, scenarios.Nearest(name, backends))
	}
	return realhw.Open(realhw.Options{Drive: drive, Overlap: name == "real-overlapped", Failed: failed})
}

// printReal says in a few lines what was real.
func printReal(w io.Writer, b *realhw.Backend) {
	m := b.Moved()
	text := fmt.Sprintf("real bytes: %s; %s, %s of %d bytes, %s", b.Note(), plural(int(m.Runs), "run"),
		plural(int(m.Requests), "request"), m.Bytes, plural(int(m.Looks), "comparison"))
	for _, l := range report.Wrap(text, report.Width) {
		fmt.Fprintln(w, l)
	}
}

// again is how a run of the case is repeated: the command, or why there is none.
func again(c scenarios.Case) (command, whyNot string) {
	switch {
	case c.Real == nil:
		return replayCommand, ""
	case c.Real.Replayable():
		return replayCommand + " --backend real", ""
	}
	return "", "not replayable: the time that transfers took is part of the run"
}
