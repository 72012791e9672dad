package kernel

import "fmt"

// Detectors lists the names of what Without can switch off.
func Detectors() []string { return []string{"lockdep", "fence-rules", "data-race", "livelock"} }

// Without switches a detector off.
func (t *Task) Without(name string) error {
	k := t.K
	switch name {
	case "lockdep":
		k.Lockdep.Off = true
	case "fence-rules":
		k.NoFenceRules = true
	case "data-race":
		k.Races.Off = true
	case "livelock":
		t.Machine().NoLivelock()
	default:
		return fmt.Errorf("there is no detector %q", name)
	}
	k.Deps.Off = k.Lockdep.Off && k.NoFenceRules
	return nil
}
