package dmabufsim

import (
	"testing"

	"dmasim/internal/simtest"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// conformanceCase is a numbered case of the reference of kernel primitives.
type conformanceCase struct {
	name  string
	check func(t *testing.T)
}

func TestConformance(t *testing.T) {
	for _, group := range [][]conformanceCase{fenceCases, resvCases, bufferCases} {
		for _, c := range group {
			t.Run(c.name, c.check)
		}
	}
}

// on boots a kernel for every body.
var (
	on                               = simtest.On[*kernel.Task](kernel.Boot)
	passes, fails, always, sometimes = on.Passes, on.Fails, on.Always, on.Sometimes
)

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

// inert is an exporter of which nothing is asked.
type inert struct{ released kernel.Ctx }

func (*inert) MapDmaBuf(*kernel.Task, *Attachment, hw.Direction) (*SgTable, kernel.Errno) {
	return &SgTable{}, kernel.OK
}
func (*inert) UnmapDmaBuf(*kernel.Task, *Attachment, *SgTable, hw.Direction) {}
func (e *inert) Release(k *kernel.Task)                                      { e.released = k.Context() }
