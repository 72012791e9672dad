package token

import "dmasim/sim/kernel"

// repairs is what is on in a machine. Some of the posted series lies outside of what a design
// is: in the splitter, the driver and the ring, which all designs use.
type repairs struct{ on Fix }

type repairsKey struct{}

func repairsOf(t *kernel.Task) *repairs {
	return t.Subsystem(repairsKey{}, func() any { return &repairs{} }).(*repairs)
}

// Repair turns repairs of the posted series on in the machine, before anything is
// registered.
func Repair(t *kernel.Task, on Fix) { repairsOf(t).on |= on }

// Repairs are those that are on in the machine.
func Repairs(t *kernel.Task) Fix { return repairsOf(t).on }

// Repaired tells whether a repair is on in the machine.
func Repaired(t *kernel.Task, f Fix) bool { return repairsOf(t).on.Has(f) }
