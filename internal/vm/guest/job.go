package guest

import (
	"fmt"
	"strings"
)

// JobPath is where the job is in the first file system, as JSON.
const JobPath = "/job.json"

// The names of the virtio-serial ports. What the programs write goes to Output as it is;
// a Message a line goes to Report.
const (
	Output = "dmasim.output"
	Report = "dmasim.report"
)

// Job is what there is to do.
type Job struct {
	// Modules are files of kernel modules. They are loaded in whatever order works.
	Modules []string
	// Drive is the device of the drive; the programs run when it is there.
	Drive    string
	Programs []Program
}

// Program is a program to run.
type Program struct {
	Name, Path, Dir string
	Args, Env       []string
	// Seconds is how long it may run.
	Seconds int
}

// Message says what happened. One with a Kernel comes first, then one for each program,
// and one with End last.
type Message struct {
	// Kernel is its release, when the programs are about to begin, and Missing are the
	// modules that could not be loaded, a sentence each.
	Kernel  string   `json:",omitempty"`
	Missing []string `json:",omitempty"`
	// Result is of a program that has ended.
	Result *Result `json:",omitempty"`
	// Problem is why nothing more will run.
	Problem string `json:",omitempty"`
	End     bool   `json:",omitempty"`
}

// Result is how a program ended: its exit status, -1 if it was killed, and how many tests
// of the top level did what.
type Result struct {
	Program                 string
	Status                  int
	Seconds                 float64
	Passed, Failed, Skipped int
	// Nothing tells that it said that there are no tests to run.
	Nothing bool
}

func (r *Result) String() string {
	word := "ok  "
	if r.Status != 0 {
		word = "FAIL"
	}
	return fmt.Sprintf("%s  %s  %.1fs  %d passed, %d failed, %d skipped", word, r.Program, r.Seconds, r.Passed, r.Failed, r.Skipped)
}

// count takes a line of a test binary's verbose output.
func (r *Result) count(line string) {
	switch {
	case strings.HasPrefix(line, "--- PASS: "):
		r.Passed++
	case strings.HasPrefix(line, "--- FAIL: "):
		r.Failed++
	case strings.HasPrefix(line, "--- SKIP: "):
		r.Skipped++
	case line == "testing: warning: no tests to run":
		r.Nothing = true
	}
}
