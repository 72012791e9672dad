package scenarios

import (
	"testing"

	"dmasim/dmabufsim"
	"dmasim/internal/simtest"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// The cases that combine the primitives of several rooms. Each of them is a small program:
// the right one is explored in all of its interleavings, and a wrong one of the same shape
// has to be found.

// The numbered cases of the package: var _ = conform(cases{...}).
type cases = simtest.Cases

var conform = simtest.Conform

func TestConformance(t *testing.T) { simtest.Conformance(t) }

// on boots a kernel for every body; whole leaves that to a body that sets up a world.
var (
	on        = simtest.On[*kernel.Task](kernel.Boot)
	sometimes = on.Sometimes
	whole     = simtest.On[*sim.Task](func(st *sim.Task) *sim.Task { return st })
)

// always is every interleaving of a body, and one schedule of every trace, which must agree. A
// short test is content with the latter.
func always(t *testing.T, body func(k *kernel.Task)) {
	t.Helper()
	on.Survives(t, explore.NewDPOR(), body)
	if !testing.Short() {
		on.Always(t, body)
	}
}

// everyTrace is one schedule of every trace, and since that relies on what operations declare
// also every schedule with few delays, unless the test is a short one: for what has too many
// interleavings.
func everyTrace[B any](t *testing.T, on simtest.On[B], body func(B)) {
	t.Helper()
	on.Survives(t, explore.NewDPOR(), body)
	if !testing.Short() {
		on.Survives(t, fewDelays(), body)
	}
}

// fewDelays is every schedule with two delays at most, in a short test with one.
func fewDelays() explore.Strategy {
	if testing.Short() {
		return simtest.Within(explore.Delays, 1)
	}
	return simtest.Within(explore.Delays, 2)
}

// driverFence is a fence as a driver has one.
type driverFence struct {
	kernel.Mem
	dmabufsim.Fence
}

// newFence is the first fence of a timeline of its own, nil if there is no memory.
func newFence(k *kernel.Task, name string) *driverFence {
	f := &driverFence{}
	if k.Alloc(kernel.GFP_KERNEL, &f.Mem, "fence") != kernel.OK {
		return nil
	}
	f.Init(k, &f.Mem, name, dmabufsim.FenceContextAlloc(k, 1), 1)
	return f
}

// inert is an exporter of which nothing is asked.
type inert struct{}

func (inert) MapDmaBuf(*kernel.Task, *dmabufsim.Attachment, hw.Direction) (*dmabufsim.SgTable, kernel.Errno) {
	return nil, kernel.ENODEV
}
func (inert) UnmapDmaBuf(*kernel.Task, *dmabufsim.Attachment, *dmabufsim.SgTable, hw.Direction) {}
func (inert) Release(*kernel.Task)                                                              {}

// newBuffer is a buffer of that exporter: its reservation object is what it is for.
func newBuffer(k *kernel.Task, name string) *dmabufsim.DmaBuf {
	return dmabufsim.NewBus(k).Export(k, name, hw.PageSize, inert{})
}

// step is an operation that touches nothing: others may come in.
func step(k *kernel.Task, verb string) { k.Step(sim.Op{Verb: verb}) }
