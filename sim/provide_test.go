package sim_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

// What a run was given is there until it has ended, its auditors and its last task included,
// and is taken back once, last first, however it ends. The next run has nothing of it.
func TestProvide(t *testing.T) {
	m := sim.NewMachine()
	var log []string
	note := func(s string) func() { return func() { log = append(log, s) } }
	run := func(s sim.Strategy, end func(*sim.Task)) *sim.Result {
		log = nil
		return m.Run(s, func(st *sim.Task) {
			if m.Provided("a") != nil {
				st.Fail(sim.Bug, "something is left of the last run")
			}
			m.Provide("a", 1, note("a"))
			m.Provide("b", 2, note("b"))
			m.Audit(func() *sim.Failure { note("audit")(); return nil })
			st.Go("other", func(t *sim.Task) {
				defer note("other")()
				for range 4 {
					t.Step(sim.Op{Verb: "step"})
				}
				end(t)
			})
			st.Explore()
			if m.Provided("b") != 2 || m.Provided("c") != nil {
				st.Fail(sim.Bug, "it is not there")
			}
		})
	}
	require.Nil(t, run(sim.Default{}, func(*sim.Task) {}).Failure)
	require.Equal(t, []string{"other", "audit", "b", "a"}, log)
	require.Nil(t, m.Provided("a"))
	require.NotNil(t, run(sim.Default{}, func(t *sim.Task) { t.Fail(sim.Bug, "it fails") }).Failure)
	require.Equal(t, []string{"other", "b", "a"}, log)
	require.NotNil(t, run(sim.Default{}, func(t *sim.Task) { panic("it panics") }).Failure)
	require.Equal(t, []string{"other", "b", "a"}, log)
	require.True(t, run(giveUp{}, func(*sim.Task) {}).Abandoned)
	require.Equal(t, []string{"other", "b", "a"}, log)

	left := make(chan struct{})
	go func() { // as t.Fatal does
		defer close(left)
		m.Run(sim.Default{}, func(st *sim.Task) {
			m.Provide("a", 1, note("closed"))
			runtime.Goexit()
		})
	}()
	<-left
	require.Equal(t, "closed", log[len(log)-1])
	m.Close()
}
