package scenarios_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/scenarios"
	"dmasim/sim"
	"dmasim/sim/explore"
)

// sequence runs tasks in a given order, by the ID of the task at each step.
type sequence struct {
	ids    []string
	fail   bool
	chosen bool // there was a choice, which has a step of its own
}

func (s *sequence) Next(p *sim.Point) *sim.Task {
	if p.Step <= len(s.ids) {
		for _, t := range p.Enabled {
			if t.ID() == s.ids[p.Step-1] {
				return t
			}
		}
		s.fail = true
	}
	return p.Default()
}
func (s *sequence) Choose(*sim.Task, int) int { s.chosen = true; return 0 }
func (s *sequence) Done(*sim.Result) bool     { return false }

// TestNeighboursThatCommute takes runs, sampled ones and those of dpor, and swaps neighbouring operations of two
// tasks that declare no conflict: the run must be of the same trace. It is not if an
// operation reads or writes what it does not declare, and then reduction and private
// objects are unsound.
func TestNeighboursThatCommute(t *testing.T) {
	runs := 25 * scale()
	if testing.Short() {
		runs = 4
	}
	for _, s := range scenarios.All() {
		for _, d := range scenarios.Designs() {
			c := newCase(t, s.Name, d.Name, 0)
			t.Run(s.Name+"/"+d.Name, func(t *testing.T) {
				t.Parallel()
				m := sim.NewMachine()
				defer m.Close()
				for _, walk := range []explore.Strategy{explore.NewPOS(11), explore.NewPCT(11, 3), explore.NewDPOR()} {
					for range runs {
						r := m.Run(walk, c.Program())
						whole := r.Failure == nil && !r.Abandoned
						more := walk.Done(r)
						if whole {
							swapNeighbours(t, c.Program(), m)
						}
						if !more {
							break
						}
					}
				}
			})
		}
	}
}

// TestNeighboursInWorkloads does the same with drawn workloads, in which tasks compete for
// tags and buffers.
func TestNeighboursInWorkloads(t *testing.T) {
	programs := 60
	if testing.Short() {
		programs = 6
	}
	d, err := scenarios.FindDesign("rfc-v2-repaired")
	require.NoError(t, err)
	m := sim.NewMachine()
	defer m.Close()
	for i := range programs {
		body := scenarios.Program(d, 0, workloads.Workload(i))
		walk := explore.NewPOS(uint64(i))
		for range 12 {
			r := m.Run(walk, body)
			require.Nil(t, r.Failure)
			walk.Done(r)
			swapNeighbours(t, body, m)
		}
	}
}

// swapNeighbours tries every swap in the machine's last run. It uses the machine.
func swapNeighbours(t *testing.T, body func(*sim.Task), m *sim.Machine) {
	var traces explore.Traces
	want := traces.Of(m)
	from, to := m.Explored()
	events := append([]sim.Event(nil), m.Events()[from:to]...)
	var ids, names []string
	touched := make([][]sim.Access, len(events))
	for i := range events {
		e := &events[i]
		ids = append(ids, e.Task.ID())
		name := e.Task.String() + " " + e.Verb
		if e.Obj != nil {
			name += " " + m.ObjectName(e.Obj)
			touched[i] = append(touched[i], sim.Access{Obj: e.Obj, Class: e.Class})
		}
		for _, a := range m.Extra(e) {
			name += fmt.Sprintf(" +%s/%d", m.ObjectName(a.Obj), a.Class)
			touched[i] = append(touched[i], a)
		}
		names = append(names, name)
	}
	for i := 0; i+1 < len(events); i++ {
		a, b := &events[i], &events[i+1]
		if a.Task == b.Task || conflict(touched[i], touched[i+1]) || b.Joins != nil || b.Task.Born() == from+i+1 {
			continue
		}
		if strings.HasPrefix(b.Verb, "timer") { // fires when nothing else can go on
			continue
		}
		swapped := append([]string(nil), ids...)
		swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
		s := &sequence{ids: swapped}
		r := m.Run(s, body)
		if s.chosen {
			return
		}
		require.False(t, s.fail, "not possible after a swap of\n  %s\n  %s", names[i], names[i+1])
		require.Nil(t, r.Failure)
		require.Equal(t, want, traces.Of(m), "another trace after a swap of\n  %s\n  %s", names[i], names[i+1])
	}
}

func conflict(a, b []sim.Access) bool {
	for _, x := range a {
		for _, y := range b {
			if x.Obj == y.Obj && x.Class.Conflicts(y.Class) {
				return true
			}
		}
	}
	return false
}
