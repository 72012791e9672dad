package kernel

import (
	"fmt"
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
		r := m.Run(s, on.Body(func(k *Task) {
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
