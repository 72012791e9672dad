package dmabufsim

import (
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// Moving is a dynamic exporter that is always at the same thing: its buffer lives in pages of
// system memory that it can exchange for others at any time, as a GPU driver evicts a buffer.
type Moving struct {
	*BufferObject
	// WaitFor is the usage class that a move waits for; BOOKKEEP is everything.
	WaitFor Usage
	// NewOwner is who gets the old pages.
	NewOwner string
}

// NewMoving exports a buffer of n pages, filled with contents of its own.
func NewMoving(t *kernel.Task, b *Bus, name string, n int) *Moving {
	g := NewGPU(t, b, "gpu", 0, Policy{})
	return &Moving{BufferObject: g.Export(t, name, n, System), WaitFor: UsageBookkeep, NewOwner: g.NewOwner}
}

// AsMoving is an exporter of the kind whose buffer it is, for who knows Moving.
func AsMoving(b *BufferObject) *Moving {
	return &Moving{BufferObject: b, WaitFor: b.gpu.WaitFor, NewOwner: b.gpu.NewOwner}
}

// Move takes the buffer elsewhere, as an eviction does: under the reservation lock
// it notifies the importers, waits for the fences, copies the contents, and gives
// the old pages to another owner.
func (m *Moving) Move(t *kernel.Task) { m.move(t, Blocking) }

// MovePipelined is Move without waiting under the lock: the copy is a job of the GPU that
// runs after the fences, and has a KERNEL fence of its own, which everybody has to wait for
// who uses the new pages (R8).
func (m *Moving) MovePipelined(t *kernel.Task) { m.move(t, Pipelined) }

func (m *Moving) move(t *kernel.Task, w Waiting) {
	g := m.gpu
	g.WaitFor, g.NewOwner, g.Policy.Wait = m.WaitFor, m.NewOwner, w
	m.BufferObject.Move(t, System)
}

// Backing is where the contents of the buffer are now, for oracles.
func (m *Moving) Backing() []*hw.Page { return m.contents }
