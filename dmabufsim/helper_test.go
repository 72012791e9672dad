package dmabufsim

import (
	"testing"

	"dmasim/internal/simtest"
	"dmasim/sim"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// The numbered cases of the package: var _ = conform(cases{...}).
type cases = simtest.Cases

var conform = simtest.Conform

func TestConformance(t *testing.T) { simtest.Conformance(t) }

// on boots a kernel for every body.
var (
	on                               = simtest.On[*kernel.Task](kernel.Boot)
	passes, fails, always, sometimes = unruled.Passes, unruled.Fails, unruled.Always, unruled.Sometimes
	outcomes, set                    = unruled.Outcomes, simtest.Set
)

// unruled boots a kernel that lets one task play all parts: in tests of a call the one that
// publishes a fence may be the one that signals it, whatever it did meanwhile.
var unruled = simtest.On[*kernel.Task](func(t *sim.Task) *kernel.Task {
	k := kernel.Boot(t)
	if err := k.Without("fence-rules"); err != nil {
		k.BUG("%v", err)
	}
	return k
})

// testFence is a fence as a driver has one.
type testFence struct {
	kernel.Mem
	Fence
}

func newFence(k *kernel.Task, context, seqno uint64) *testFence {
	f := &testFence{}
	k.Alloc(kernel.GFP_KERNEL, &f.Mem, "fence")
	f.Init(k, &f.Mem, "test", context, seqno)
	return f
}

// newFenceOf is newFence of a driver that has more than names.
func newFenceOf(k *kernel.Task, ops FenceOps, lock *kernel.Spinlock) *testFence {
	f := &testFence{}
	k.Alloc(kernel.GFP_KERNEL, &f.Mem, "fence")
	ops.DriverName, ops.TimelineName = named.DriverName, func(*Fence) string { return "test" }
	f.InitOps(k, &f.Mem, &ops, lock, 1, 1)
	return f
}

// publish adds a fence to a container whose lock nobody holds.
func publish(k *kernel.Task, r *Resv, f *testFence, u Usage) {
	r.Lock(k, nil)
	r.ReserveFences(k, 1)
	r.AddFence(k, &f.Fence, u)
	r.Unlock(k)
}

// step is an operation that touches nothing: others may come in.
func step(k *kernel.Task) { k.Step(sim.Op{Verb: "step"}) }

// inert is an exporter of which nothing is asked.
type inert struct{ released kernel.Ctx }

func (*inert) MapDmaBuf(*kernel.Task, *Attachment, hw.Direction) (*SgTable, kernel.Errno) {
	return &SgTable{}, kernel.OK
}
func (*inert) UnmapDmaBuf(*kernel.Task, *Attachment, *SgTable, hw.Direction) {}
func (e *inert) Release(k *kernel.Task)                                      { e.released = k.Context() }
