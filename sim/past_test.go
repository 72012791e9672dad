package sim_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

// flagged is ready when its value is set.
type flagged struct {
	obj sim.Object
	set bool
}

func (f *flagged) Ready(*sim.Task) bool { return f.set }

// TestPast has a task wait for another one, and a third one that has nothing to do with them:
// an event knows what ended its wait, and what had to come before it.
func TestPast(t *testing.T) {
	var f flagged
	var other sim.Object
	m := sim.NewMachine()
	defer m.Close()
	r := m.Run(sim.Default{}, func(t *sim.Task) {
		f = flagged{}
		t.Own(&f.obj, "flag", "flag")
		t.Own(&other, "thing", "thing")
		t.Go("waiter", func(t *sim.Task) {
			t.Step(sim.Op{Verb: "wait", Obj: &f.obj, Class: sim.Read, Guard: &f})
			t.Step(sim.Op{Verb: "wait again", Obj: &f.obj, Class: sim.Read, Guard: &f})
		})
		t.Go("bystander", func(t *sim.Task) { t.Step(sim.Op{Verb: "elsewhere", Obj: &other}) })
		t.Go("setter", func(t *sim.Task) {
			t.Step(sim.Op{Verb: "before"})
			t.Step(sim.Op{Verb: "set", Obj: &f.obj})
			f.set = true
			t.Step(sim.Op{Verb: "after"})
		})
		t.Explore()
	})
	require.Nil(t, r.Failure)
	at := map[string]int{}
	for i, e := range m.Events() {
		at[e.Verb] = i
	}
	events := m.Events()
	require.EqualValues(t, at["set"], events[at["wait"]].Enabler)
	require.EqualValues(t, -1, events[at["wait again"]].Enabler)
	require.EqualValues(t, -1, events[at["set"]].Enabler)
	past := m.Past(at["wait"])
	for verb, before := range map[string]bool{"before": true, "set": true, "elsewhere": false} {
		require.Less(t, at[verb], at["wait"], verb)
		require.Equal(t, before, past[at[verb]], verb)
	}
	require.False(t, m.Past(at["set"])[at["elsewhere"]])
}

// TestFlagMinor checks that what is minor hides nothing and changes no run.
func TestFlagMinor(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	run := func(minor, warns bool) sim.Result {
		return *m.Run(sim.Default{}, func(t *sim.Task) {
			t.Go("task", func(t *sim.Task) {
				t.Step(sim.Op{Verb: "step"})
				if minor {
					t.FlagMinor("rule", nil, "one")
					t.FlagMinor("rule", []string{"because"}, "two")
					t.FlagMinor("rule", nil, "two")
				}
				if warns {
					t.Warn("worse")
				}
			})
			t.Explore()
		})
	}
	r := run(true, false)
	require.NotNil(t, r.Failure)
	require.True(t, r.Failure.Minor)
	require.Equal(t, "rule: one", r.Failure.Error())
	require.Equal(t, []string{"also: two", "because"}, r.Failure.Detail)
	require.Equal(t, run(false, false).Hash, r.Hash)
	require.Equal(t, "warn: worse", run(true, true).Failure.Error())
}
