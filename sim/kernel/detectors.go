package kernel

import "fmt"

// Detectors lists the names of what Without can switch off.
func Detectors() []string { return []string{"lockdep", "fence-rules", "data-race"} }

// Without switches a detector off.
func (k *Kernel) Without(name string) error {
	switch name {
	case "lockdep":
		k.Lockdep.Off = true
	case "fence-rules":
		k.NoFenceRules = true
	case "data-race":
		k.Races.Off = true
	default:
		return fmt.Errorf("there is no detector %q", name)
	}
	k.Deps.Off = k.Lockdep.Off && k.NoFenceRules
	return nil
}
