package dmabufsim

import (
	"dmasim/sim"
	"dmasim/sim/kernel"
)

// FenceStory is the life of a fence in a traced run: what its signal depended on.
type FenceStory struct {
	Name                 string
	Published, Signalled sim.Place // Signalled is nowhere if it never was
	// Cone is what the signal depended on since somebody could wait for it, nil if there
	// was no signal, or nobody had asked for one.
	Cone *kernel.Cone
}

// FenceStories lists the fences that were published in the last run of the machine, in the
// order of their publication, if the run was traced.
func FenceStories(m *sim.Machine) (out []FenceStory) {
	k, ok := m.Value.(*kernel.Kernel)
	if !ok {
		return nil
	}
	s, ok := k.FindSubsystem(fencesKey{}).(*fenceCore)
	if !ok {
		return nil
	}
	for _, f := range s.published {
		out = append(out, FenceStory{f.String(), f.life.published.Place, f.life.signalled, f.life.cone})
	}
	return out
}
