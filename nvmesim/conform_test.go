package nvmesim

import (
	"slices"
	"testing"
)

// conformanceCase is a numbered case of the reference.
type conformanceCase struct {
	name  string
	check func(t *testing.T)
}

func TestConformance(t *testing.T) {
	for _, c := range slices.Concat(prpCases, sglCases, commandCases, recoveryCases) {
		t.Run(c.name, c.check)
	}
}
