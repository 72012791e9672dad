package dmatoken

import (
	"dmasim/internal/simtest"
	"dmasim/internal/simtest/toy"
	"dmasim/sim"
	"dmasim/sim/kernel"
	"dmasim/token"
)

// on boots a kernel for every body.
var (
	on                        = simtest.On[*kernel.Task](boot)
	passes, fails, everywhere = on.Passes, on.Fails, on.Everywhere
)

// boot leaves out the rules of fences, which the posted design breaks with each of them. See
// package scenarios.
func boot(t *sim.Task) *kernel.Task {
	k := kernel.Boot(t)
	k.K.NoFenceRules = true
	return k
}

type world = toy.World[*dmaToken]

func newWorld(k *kernel.Task, fixes token.Fix) *world {
	token.Repair(k, fixes)
	return toy.New[*dmaToken](k, Design{})
}

func registered(k *kernel.Task, fixes token.Fix) *world {
	token.Repair(k, fixes)
	return toy.Registered[*dmaToken](k, Design{})
}

// remove is REMOVE as the exporter calls it.
func remove(k *kernel.Task, w *world) {
	w.Exp.Buf.Resv.Lock(k, nil)
	w.Exp.Buf.MoveNotify(k)
	w.Exp.Buf.Resv.Unlock(k)
}

// settled lets all tasks run that are due.
func settled(k *kernel.Task) {
	done := false
	k.After(1, sim.Quiet, "settled", func(*sim.Task) { done = true })
	k.Await("settle", nil, sim.Read, func() bool { return done })
}
