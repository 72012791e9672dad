package dmabufsim

import "dmasim/sim/kernel"

// IsLater is dma_fence_is_later: f comes after g on their timeline.
func (f *Fence) IsLater(t *kernel.Task, g *Fence) bool {
	if f.Context != g.Context {
		t.Warn("dma_fence_is_later: %s and %s are on different timelines", f, g)
		return false
	}
	return f.later(g)
}

// IsLaterOrSame is dma_fence_is_later_or_same: the same is the same object, not the same
// number.
func (f *Fence) IsLaterOrSame(t *kernel.Task, g *Fence) bool { return f == g || f.IsLater(t, g) }

// Later is dma_fence_later: the later one of two of a timeline, nil if that one has
// signalled.
func Later(t *kernel.Task, f, g *Fence) *Fence {
	if f.Context != g.Context {
		t.Warn("dma_fence_later: %s and %s are on different timelines", f, g)
		return nil
	}
	last := g
	if f.later(g) {
		last = f
	}
	if last.IsSignaled(t) {
		return nil
	}
	return last
}

// later compares the numbers: their low 32 bits, by the sign of the difference, or all of
// them.
func (f *Fence) later(g *Fence) bool {
	if f.seqno64 {
		return f.Seqno > g.Seqno
	}
	return int32(uint32(f.Seqno)-uint32(g.Seqno)) > 0
}
