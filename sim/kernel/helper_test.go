package kernel

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// conformanceCase is a numbered case of the reference of kernel primitives.
type conformanceCase struct {
	name  string
	check func(t *testing.T)
}

type cases = []conformanceCase

// booted starts a kernel before body.
func booted(body func(k *Task)) func(*sim.Task) {
	return func(st *sim.Task) { body(Boot(st)) }
}

// run runs body once by the default rule, for what needs no race.
func run(body func(k *Task)) *sim.Failure {
	m := sim.NewMachine()
	defer m.Close()
	return m.Run(sim.Default{}, booted(body)).Failure
}

// passes and fails check a single run by the default rule.
func passes(t *testing.T, body func(k *Task)) {
	t.Helper()
	if f := run(body); f != nil {
		t.Fatalf("%v\n%v", f, f.Detail)
	}
}

func fails(t *testing.T, kind sim.Kind, message string, body func(k *Task)) {
	t.Helper()
	f := run(body)
	require.NotNil(t, f, "nothing was found; want %s: %s", kind, message)
	require.Equal(t, kind, f.Kind, f.Message)
	require.Contains(t, f.Message, message)
}

func dfs(body func(k *Task)) *explore.Report {
	s := explore.NewDFS(explore.Coverage{Bound: explore.All})
	return explore.Run(context.Background(), booted(body), s, explore.Options{StepLimit: 500, Executions: 200_000})
}

// always checks that every interleaving passes.
func always(t *testing.T, body func(k *Task)) {
	t.Helper()
	r := dfs(body)
	if f := r.Found; f != nil {
		f.Machine.Close()
		t.Fatalf("execution %d: %v\n%v", f.Execution, f.Failure, f.Failure.Detail)
	}
	require.Equal(t, explore.Coverage{Bound: explore.All}, r.Coverage, "not exhausted after %d executions", r.Executions)
}

// sometimes checks that some interleaving fails in the way that is told.
func sometimes(t *testing.T, kind sim.Kind, message string, body func(k *Task)) *sim.Failure {
	t.Helper()
	r := dfs(body)
	require.NotNil(t, r.Found, "nothing was found in %d executions; want %s: %s", r.Executions, kind, message)
	defer r.Found.Machine.Close()
	f := r.Found.Failure
	require.Equal(t, kind, f.Kind, f.Message)
	require.Contains(t, f.Message, message)
	return f
}

// outcomes collects what the runs of all interleavings say, and fails the test if one
// of them fails.
func outcomes(t *testing.T, body func(k *Task, say func(format string, args ...any))) map[string]bool {
	t.Helper()
	m := sim.NewMachine()
	m.StepLimit = 500
	defer m.Close()
	out := map[string]bool{}
	s := explore.NewDFS(explore.Coverage{Bound: explore.All})
	for {
		said := ""
		r := m.Run(s, booted(func(k *Task) {
			body(k, func(format string, args ...any) { said += fmt.Sprintf(format, args...) + " " })
		}))
		require.Nil(t, r.Failure, "%v", r.Failure)
		if said != "" {
			said = said[:len(said)-1]
		}
		out[said] = true
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

// object is something that is allocated.
type object struct {
	Mem
	v Field[int]
}

func newObject(k *Task, v int) *object {
	o := &object{}
	k.Alloc(GFP_ATOMIC, &o.Mem, "object")
	o.v.Init(&o.Mem, v)
	return o
}

func TestConformance(t *testing.T) {
	for _, group := range []cases{
		contextCases, mutexCases, wwCases, refcountCases, percpuCases, rcuCases,
		workCases, completionCases, memoryCases, taskWorkCases,
	} {
		for _, c := range group {
			t.Run(c.name, c.check)
		}
	}
}
