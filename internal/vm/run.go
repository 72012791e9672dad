package vm

import (
	"io"
	"path"
	"time"

	"dmasim/internal/vm/guest"
)

// Options say what runs in which machine.
type Options struct {
	Kernel Kernel
	Tests  []Test
	// Flags are for every test binary, after those of its own.
	Flags []string
	// Env are variables for every test binary.
	Env []string
	// Append is for the command line of the kernel.
	Append string
	// KVM asks for hardware virtualisation.
	KVM bool
	// Output takes what the test binaries write, as they do, and how they ended; nil is
	// nowhere.
	Output io.Writer
	// Trace takes a line with the release of the kernel and then what QEMU tells of the
	// drive's commands, if it is not nil.
	Trace io.Writer
	// Timeout bounds the whole run in the machine, 10 minutes if it is 0.
	Timeout time.Duration
}

// Result is how the tests of a package ended.
type Result struct {
	Test Test
	guest.Result
}

// Outcome is what a run was.
type Outcome struct {
	// Release is that of the kernel, and Missing what it had no modules for.
	Release string
	Missing []string
	// Build is how long building and packing took, Boot how long it took from the start
	// of QEMU to the first test, Whole until the machine was off.
	Build, Boot, Whole time.Duration
	// Results are in the order of the tests.
	Results []Result
}

// OK tells whether all tests passed.
func (o *Outcome) OK() bool {
	for _, r := range o.Results {
		if r.Status != 0 {
			return false
		}
	}
	return true
}

// program is the test as the guest runs it. The standard output of a test that is verbose
// tells how many passed.
func (t *Test) program(o *Options) guest.Program {
	p := guest.Program{Name: t.Package, Path: "/bin/" + t.Name() + ".test", Dir: path.Join("/src", t.Package),
		Args: []string{"-test.v"}, Env: append([]string{"DMASIM_GUEST=1"}, t.Env...), Seconds: t.Seconds}
	if t.Drive {
		p.Env = append(p.Env, "DMASIM_DRIVE="+Drive)
	}
	p.Args = append(append(p.Args, t.Flags...), o.Flags...)
	p.Env = append(p.Env, o.Env...)
	return p
}
