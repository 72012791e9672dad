package kernel

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/internal/simtest"
	"dmasim/sim"
	"dmasim/sim/explore"
)

// conformanceCase is a numbered case of the reference of kernel primitives.
type conformanceCase struct {
	name  string
	check func(t *testing.T)
}

type cases = []conformanceCase

// on boots a kernel for every body.
var (
	on                               = simtest.On[*Task](Boot)
	passes, fails, always, sometimes = on.Passes, on.Fails, on.Always, on.Sometimes
)

// outcomes collects what the runs of all interleavings say, and fails the test if one
// of them fails. One schedule of every trace must say the same.
func outcomes(t *testing.T, body func(k *Task, say func(format string, args ...any))) map[string]bool {
	t.Helper()
	all := outcomesOf(t, explore.NewDFS(explore.Coverage{Bound: explore.All}), body)
	require.Equal(t, all, outcomesOf(t, explore.NewDPOR(), body), "what DPOR sees")
	return all
}

func outcomesOf(t *testing.T, s explore.Strategy, body func(k *Task, say func(format string, args ...any))) map[string]bool {
	t.Helper()
	m := sim.NewMachine()
	m.StepLimit = 500
	defer m.Close()
	out := map[string]bool{}
	d := simtest.NewDeclared(m, s)
	for {
		said := ""
		r := m.Run(d, on.Body(func(k *Task) {
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

// object is something that is allocated.
type object struct {
	Mem
	v Field[int]
}

// get reads the object, as part of the operation that was granted last.
func (o *object) get(k *Task) int {
	k.Access(&o.Mem)
	return o.v.Get(k)
}

func newObject(k *Task, v int) *object {
	o := &object{}
	k.Alloc(GFP_ATOMIC, &o.Mem, "object")
	o.v.Init(k, &o.Mem, "object.v", v)
	return o
}

// raceless is body without the check for data races, which finds a free that races with a
// reader before the reader comes too late.
func raceless(body func(k *Task)) func(k *Task) {
	return func(k *Task) {
		k.K.Races.Off = true
		body(k)
	}
}

// groups are all conformance cases of the package.
var groups []cases

// conform adds cases to TestConformance: var _ = conform(cases{...}).
func conform(c cases) bool {
	groups = append(groups, c)
	return true
}

func TestConformance(t *testing.T) {
	for _, group := range groups {
		for _, c := range group {
			t.Run(c.name, c.check)
		}
	}
}
