// Package simtest states what tests expect of a program: that its run passes or fails,
// or that all of its interleavings do, or some.
//
// It knows of the machine and of the strategies, and of nothing that runs on them, so
// that the kernel can be tested with it from inside its own package, as can all that is
// built on the kernel.
package simtest

import (
	"context"
	"strings"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// T is a test, or a property that is checked with many values.
type T interface {
	require.TestingT
	Helper()
	Fatalf(format string, args ...any)
}

// On makes of the first task of a machine what the bodies of a package's tests are
// given, such as a task of a booted kernel.
type On[B any] func(*sim.Task) B

// Body is body as machines and strategies take it.
func (on On[B]) Body(body func(B)) func(*sim.Task) {
	return func(st *sim.Task) { body(on(st)) }
}

// Run runs body once by the default rule, for what needs no race.
func (on On[B]) Run(body func(B)) *sim.Failure {
	m := sim.NewMachine()
	defer m.Close()
	return m.Run(sim.Default{}, on.Body(body)).Failure
}

// Passes checks that a single run by the default rule passes.
func (on On[B]) Passes(t T, body func(B)) {
	t.Helper()
	if f := on.Run(body); f != nil {
		t.Fatalf("%v\n%v", f, f.Detail)
	}
}

// Fails checks that a single run by the default rule fails in the way that is told.
func (on On[B]) Fails(t T, kind sim.Kind, message string, body func(B)) *sim.Failure {
	t.Helper()
	return told(t, kind, message, on.Run(body))
}

// told checks that there is a failure, of the kind and with the words in its message.
func told(t T, kind sim.Kind, message string, f *sim.Failure) *sim.Failure {
	t.Helper()
	require.NotNil(t, f, "nothing was found; want %s: %s", kind, message)
	require.Equal(t, kind, f.Kind, f.Message)
	require.Contains(t, f.Message, message)
	return f
}

// limits are beyond what any test needs: one that reaches them has a body that is too
// large to be explored.
var limits = explore.Options{StepLimit: 500, Executions: 200_000}

// explore closes the machine of what is found: tests look at the failure only.
func (on On[B]) explore(s explore.Strategy, body func(B)) (*explore.Report, *sim.Failure) {
	r := explore.Run(context.Background(), on.Body(body), s, limits)
	if r.Found == nil {
		return r, nil
	}
	r.Found.Machine.Close()
	return r, r.Found.Failure
}

// Survives checks that the strategy comes to its end and finds nothing.
func (on On[B]) Survives(t T, s explore.Strategy, body func(B)) {
	t.Helper()
	r, f := on.explore(s, body)
	if f != nil {
		t.Fatalf("%s: execution %d: %v\n%v", s.Name(), r.Found.Execution, f, f.Detail)
	}
	require.True(t, r.Exhausted, "%s: not exhausted after %d executions", s.Name(), r.Executions)
}

// Finds checks that the strategy finds a failure of one of the kinds.
func (on On[B]) Finds(t T, s explore.Strategy, body func(B), kinds ...sim.Kind) {
	t.Helper()
	r, f := on.explore(s, body)
	require.NotNil(t, f, "%s: nothing was found in %d executions; want one of %s", s.Name(), r.Executions, kinds)
	require.Contains(t, kinds, f.Kind, f.Message)
}

// Always checks that every interleaving passes, and that what operations wait for does not
// change but by what was declared.
func (on On[B]) Always(t T, body func(B)) {
	t.Helper()
	m := sim.NewMachine()
	m.StepLimit = limits.StepLimit
	defer m.Close()
	s := NewDeclared(m, Within(explore.All, 0))
	for n := 1; ; n++ {
		r := m.Run(s, on.Body(body))
		switch f := r.Failure; {
		case f != nil:
			t.Fatalf("execution %d: %v\n%v", n, f, f.Detail)
		case s.Undeclared != "":
			t.Fatalf("execution %d: not declared: %s", n, s.Undeclared)
		case n == limits.Executions:
			t.Fatalf("not exhausted after %d executions", n)
		}
		if !s.Done(r) {
			return
		}
	}
}

// Sometimes checks that some interleaving fails, and that the first one found fails in
// the way that is told. One schedule of every trace is enough to find such a failure: it
// depends on nothing that is not declared.
func (on On[B]) Sometimes(t T, kind sim.Kind, message string, body func(B)) *sim.Failure {
	t.Helper()
	f := on.Undeclared(t, kind, message, body)
	m := sim.NewMachine()
	m.StepLimit = limits.StepLimit
	defer m.Close()
	for d := explore.NewDPOR(); ; {
		r := m.Run(d, on.Body(body))
		if g := r.Failure; g != nil && g.Kind == kind && strings.Contains(g.Message, message) {
			return f
		}
		if !d.Done(r) {
			t.Fatalf("%s does not find %v", d.Name(), f)
		}
	}
}

// Undeclared is Sometimes for a failure that depends on what no operation declares, such as
// the use of memory.
func (on On[B]) Undeclared(t T, kind sim.Kind, message string, body func(B)) *sim.Failure {
	t.Helper()
	_, f := on.explore(Within(explore.All, 0), body)
	return told(t, kind, message, f)
}

// Everywhere checks one schedule of every trace; and since that relies on what
// operations declare, also every schedule with few delays. It is for what has too many
// interleavings for Always.
func (on On[B]) Everywhere(t T, body func(B)) {
	t.Helper()
	on.Survives(t, explore.NewDPOR(), body)
	on.Survives(t, Within(explore.Delays, 5), body)
}

// Within is every schedule within a bound.
func Within(bound explore.Bound, n int) explore.Strategy {
	return explore.NewDFS(explore.Coverage{Bound: bound, N: n})
}
