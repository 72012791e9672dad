package dmabufsim

import (
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// Gate is something that a test opens. Gates are open from the start. What a task did before it
// opened one is nothing that those who wait at it depend on: a test is no part of a protocol.
type Gate struct {
	obj  sim.Object
	shut bool //dmasim:private part of obj
}

func (g *Gate) init(t *kernel.Task, name string) { t.Own(&g.obj, "gate", name) }

// Shut closes the gate.
func (g *Gate) Shut(t *kernel.Task) { g.set(t, "shut", true) }

// Open opens it.
func (g *Gate) Open(t *kernel.Task) { g.set(t, "open", false) }

func (g *Gate) set(t *kernel.Task, verb string, shut bool) {
	t.Step(sim.Op{Verb: verb, Obj: &g.obj})
	g.shut = shut
}

func (g *Gate) pass(t *kernel.Task, verb string) {
	t.MightSleep(verb, g.obj.Name)
	t.Await(verb, &g.obj, sim.Read, func() bool { return !g.shut })
}

// Freezing is an exporter under a test's control: it can stop at every point where an importer
// depends on it.
type Freezing struct {
	*BufferObject
	// Held is passed with the reservation lock held, by Hold and by InvalidateAndHold.
	Held Gate
	// Mapping is passed in map_dma_buf.
	Mapping Gate
	// MapErr is what map_dma_buf fails with.
	MapErr kernel.Errno
}

// NewFreezing exports a buffer of n pages, which moves as the policy says when it moves.
func NewFreezing(t *kernel.Task, b *Bus, name string, n int, p Policy) *Freezing {
	e := &Freezing{}
	e.Held.init(t, name+".held")
	e.Mapping.init(t, name+".mapping")
	e.BufferObject = NewGPU(t, b, "gpu", 0, p).exportAs(t, name, n, System, func(o *BufferObject) Ops {
		e.BufferObject = o
		return e
	})
	return e
}

// MapDmaBuf stops at the gate, and fails if it is told to.
func (e *Freezing) MapDmaBuf(t *kernel.Task, a *Attachment, dir hw.Direction) (*SgTable, kernel.Errno) {
	e.Mapping.pass(t, "map_dma_buf")
	if e.MapErr != kernel.OK {
		return nil, e.MapErr
	}
	return e.BufferObject.MapDmaBuf(t, a, dir)
}

// Hold takes the reservation lock, and keeps it until the gate is open.
func (e *Freezing) Hold(t *kernel.Task) {
	ctx := e.lock(t)
	e.Held.pass(t, "hold the reservation lock")
	e.unlock(t, ctx)
}

// Invalidate tells the importers, and moves nothing, n times with the lock dropped in between.
func (e *Freezing) Invalidate(t *kernel.Task, n int) {
	for range n {
		ctx := e.lock(t)
		e.Buf.MoveNotify(t)
		e.unlock(t, ctx)
	}
}

// InvalidateTwice tells the importers twice under one lock.
func (e *Freezing) InvalidateTwice(t *kernel.Task) {
	ctx := e.lock(t)
	e.Buf.MoveNotify(t)
	e.Buf.MoveNotify(t)
	e.unlock(t, ctx)
}

// InvalidateAndHold tells the importers, keeps the lock until the gate is open, and moves
// then.
func (e *Freezing) InvalidateAndHold(t *kernel.Task) {
	ctx := e.lock(t)
	e.Buf.MoveNotify(t)
	e.Held.pass(t, "hold the reservation lock")
	e.moveTo(t, System)
	e.unlock(t, ctx)
}
