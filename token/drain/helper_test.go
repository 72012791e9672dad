package drain

import (
	"dmasim/internal/simtest"
	"dmasim/internal/simtest/toy"
	"dmasim/sim/kernel"
)

// on boots a kernel for every body.
var (
	on                 = simtest.On[*kernel.Task](kernel.Boot)
	passes, everywhere = on.Passes, on.Everywhere
)

type world = toy.World[*drainToken]

func newWorld(k *kernel.Task) *world   { return toy.New[*drainToken](k, Design{}) }
func registered(k *kernel.Task) *world { return toy.Registered[*drainToken](k, Design{}) }
