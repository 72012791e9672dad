package explore

import "dmasim/sim"

// Strategy is a sim.Strategy that can say what it covered.
type Strategy interface {
	sim.Strategy
	// Name is what the strategy is called on the command line.
	Name() string
	// Covered tells which schedules the runs so far cover completely.
	Covered() Coverage
}
