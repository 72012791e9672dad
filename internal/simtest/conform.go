package simtest

import "testing"

// Cases are numbered cases of a reference. The test of each is a subtest of TestConformance.
type Cases []struct {
	Number string
	Check  func(t *testing.T)
}

var conformance Cases // of the package under test

// Conform adds cases to those of the package under test: var _ = simtest.Conform(simtest.Cases{...}).
func Conform(c Cases) bool {
	conformance = append(conformance, c...)
	return true
}

// Conformance runs all cases of the package: it is the whole of TestConformance.
func Conformance(t *testing.T) {
	for _, c := range conformance {
		t.Run(c.Number, c.Check)
	}
}
