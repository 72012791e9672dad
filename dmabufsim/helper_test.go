package dmabufsim

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

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
	for _, group := range [][]conformanceCase{fenceCases, resvCases, bufferCases} {
		for _, c := range group {
			t.Run(c.name, c.check)
		}
	}
}

func booted(body func(k *kernel.Task)) func(*sim.Task) {
	return func(st *sim.Task) { body(kernel.Boot(st)) }
}

// run runs body once by the default rule, for what needs no race.
func run(body func(k *kernel.Task)) *sim.Failure {
	m := sim.NewMachine()
	defer m.Close()
	return m.Run(sim.Default{}, booted(body)).Failure
}

func passes(t *testing.T, body func(k *kernel.Task)) {
	t.Helper()
	if f := run(body); f != nil {
		t.Fatalf("%v\n%v", f, f.Detail)
	}
}

func fails(t *testing.T, kind sim.Kind, message string, body func(k *kernel.Task)) {
	t.Helper()
	f := run(body)
	require.NotNil(t, f, "nothing was found; want %s: %s", kind, message)
	require.Equal(t, kind, f.Kind, f.Message)
	require.Contains(t, f.Message, message)
}

func dfs(body func(k *kernel.Task)) *explore.Report {
	s := explore.NewDFS(explore.Coverage{Bound: explore.All})
	return explore.Run(context.Background(), booted(body), s, explore.Options{StepLimit: 500, Executions: 200_000})
}

// always checks that every interleaving passes.
func always(t *testing.T, body func(k *kernel.Task)) {
	t.Helper()
	r := dfs(body)
	if f := r.Found; f != nil {
		f.Machine.Close()
		t.Fatalf("execution %d: %v\n%v", f.Execution, f.Failure, f.Failure.Detail)
	}
	require.Equal(t, explore.Coverage{Bound: explore.All}, r.Coverage, "not exhausted after %d executions", r.Executions)
}

// sometimes checks that some interleaving fails in the way that is told.
func sometimes(t *testing.T, kind sim.Kind, message string, body func(k *kernel.Task)) {
	t.Helper()
	r := dfs(body)
	require.NotNil(t, r.Found, "nothing was found in %d executions; want %s: %s", r.Executions, kind, message)
	defer r.Found.Machine.Close()
	require.Equal(t, kind, r.Found.Failure.Kind, r.Found.Failure.Message)
	require.Contains(t, r.Found.Failure.Message, message)
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

// inert is an exporter of which nothing is asked.
type inert struct{ released kernel.Ctx }

func (*inert) MapDmaBuf(*kernel.Task, *Attachment, hw.Direction) (*SgTable, kernel.Errno) {
	return &SgTable{}, kernel.OK
}
func (*inert) UnmapDmaBuf(*kernel.Task, *Attachment, *SgTable, hw.Direction) {}
func (e *inert) Release(k *kernel.Task)                                      { e.released = k.Context() }
