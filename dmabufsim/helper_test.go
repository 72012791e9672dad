package dmabufsim

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/internal/simtest"
	"dmasim/sim"
	"dmasim/sim/explore"
	"dmasim/sim/hw"
	"dmasim/sim/kernel"
)

// conformanceCase is a numbered case of the reference of kernel primitives.
type conformanceCase struct {
	name  string
	check func(t *testing.T)
}

func TestConformance(t *testing.T) {
	for _, group := range [][]conformanceCase{fenceCases, callbackCases, waitCases, signallingCases, resvCases, resvReaderCases, bufferCases, exporterCases, udmabufCases} {
		for _, c := range group {
			t.Run(c.name, c.check)
		}
	}
}

// on boots a kernel for every body.
var (
	on                               = simtest.On[*kernel.Task](kernel.Boot)
	passes, fails, always, sometimes = unruled.Passes, unruled.Fails, unruled.Always, unruled.Sometimes
)

// unruled boots a kernel that lets one task play all parts: in tests of a call the one that
// publishes a fence may be the one that signals it, whatever it did meanwhile.
var unruled = simtest.On[*kernel.Task](func(t *sim.Task) *kernel.Task {
	k := kernel.Boot(t)
	if err := k.K.Without("fence-rules"); err != nil {
		k.BUG("%v", err)
	}
	return k
})

// outcomes collects what the runs of all interleavings say, and fails the test if one
// of them fails. One schedule of every trace must say the same.
func outcomes(t *testing.T, body func(k *kernel.Task, say func(format string, args ...any))) map[string]bool {
	t.Helper()
	all := outcomesOf(t, explore.NewDFS(explore.Coverage{Bound: explore.All}), body)
	require.Equal(t, all, outcomesOf(t, explore.NewDPOR(), body), "what DPOR sees")
	return all
}

func outcomesOf(t *testing.T, s explore.Strategy, body func(k *kernel.Task, say func(format string, args ...any))) map[string]bool {
	t.Helper()
	m := sim.NewMachine()
	m.StepLimit = 500
	defer m.Close()
	out := map[string]bool{}
	d := simtest.NewDeclared(m, s)
	for {
		said := ""
		r := m.Run(d, unruled.Body(func(k *kernel.Task) {
			body(k, func(format string, args ...any) { said += fmt.Sprintf(format, args...) + " " })
		}))
		require.Nil(t, r.Failure, "%v", r.Failure)
		require.Empty(t, d.Undeclared)
		if !r.Abandoned {
			out[strings.TrimSpace(said)] = true
		}
		if !s.Done(r) {
			return out
		}
	}
}

func set(ss ...string) map[string]bool {
	m := map[string]bool{}
	for _, s := range ss {
		m[s] = true
	}
	return m
}

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

// step is an operation that touches nothing: others may come in.
func step(k *kernel.Task) { k.Step(sim.Op{Verb: "step"}) }

// inert is an exporter of which nothing is asked.
type inert struct{ released kernel.Ctx }

func (*inert) MapDmaBuf(*kernel.Task, *Attachment, hw.Direction) (*SgTable, kernel.Errno) {
	return &SgTable{}, kernel.OK
}
func (*inert) UnmapDmaBuf(*kernel.Task, *Attachment, *SgTable, hw.Direction) {}
func (e *inert) Release(k *kernel.Task)                                      { e.released = k.Context() }
