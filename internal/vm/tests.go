package vm

import (
	"fmt"
	"path"
	"strings"
)

// Drive is the drive in the guest.
const Drive = "/dev/nvme0n1"

// Test is a package whose tests run in the guest.
type Test struct {
	// Package is its folder in the module.
	Package string
	// Flags are for the test binary; Env are variables beside DMASIM_DRIVE.
	Flags, Env []string
	// Drive tells that the tests may overwrite the drive, whose name is then in
	// DMASIM_DRIVE.
	Drive bool
	// Seconds is how long it may take under software emulation.
	Seconds int
}

// Name is the last part of the package's name.
func (t *Test) Name() string { return path.Base(t.Package) }

// Tests are those that run in the guest by default, in this order.
var Tests = []Test{
	{Package: "dmabufsim/udmabuf", Seconds: 60},
	{Package: "uringsim/realring", Seconds: 60},
	{Package: "uringsim/realpath", Drive: true, Seconds: 120},
	{Package: "uringsim/realhw", Drive: true, Seconds: 120},
	{Package: "scenarios/simpath", Drive: true, Seconds: 240, Flags: []string{"-test.short", "-test.run=Kernel|Differential", "-rapid.checks=300"}},
	{Package: "scenarios", Drive: true, Seconds: 180, Flags: []string{"-test.short", "-test.run=RealBytes"}},
}

// Find returns the tests of these names or packages, or all of them if there are none.
func Find(names ...string) ([]Test, error) {
	if len(names) == 0 {
		return Tests, nil
	}
	var out []Test
	var known []string
	for _, t := range Tests {
		known = append(known, t.Name())
	}
	for _, name := range names {
		found := false
		for _, t := range Tests {
			if t.Name() == name || t.Package == strings.Trim(strings.TrimPrefix(name, "./"), "/") {
				out, found = append(out, t), true
			}
		}
		if !found {
			return nil, fmt.Errorf("no tests %q run in the guest; there are %s", name, strings.Join(known, ", "))
		}
	}
	return out, nil
}
