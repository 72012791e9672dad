package nvmesim

import (
	"testing"

	"dmasim/internal/simtest"
)

// The numbered cases of the package: var _ = conform(cases{...}).
type cases = simtest.Cases

var conform = simtest.Conform

func TestConformance(t *testing.T) { simtest.Conformance(t) }
