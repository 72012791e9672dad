package sim_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"dmasim/sim"
)

// A call with the handle of a task that does not run is misuse, wherever it comes from, and
// says who used whose handle for what. The next run of the machine is not touched by it.
func TestStray(t *testing.T) {
	var obj sim.Object
	lock := func(u *sim.Task) { u.Step(sim.Op{Verb: "lock", Obj: &obj}) }
	other := sim.NewMachine()
	defer other.Close()
	var foreign, old *sim.Task
	require.Nil(t, other.Run(sim.Default{}, func(st *sim.Task) { foreign = st }).Failure)
	explored := func(body func(st, first *sim.Task, u *sim.Task)) func(*sim.Task) {
		return func(st *sim.Task) {
			first := st.Go("first", func(u *sim.Task) { u.Step(sim.Op{Verb: "work"}) })
			st.Go("second", func(u *sim.Task) { body(st, first, u) })
			st.Explore()
		}
	}
	const announced = ` announced "lock" of m with the handle of `
	for name, c := range map[string]struct {
		body func(*sim.Task)
		want string
	}{
		"a task that has ended": {
			explored(func(_, first, u *sim.Task) { u.Join(first); lock(first) }),
			"second (task 2)" + announced + "first (task 1), which has ended",
		},
		"a task that waits": {
			explored(func(st, _, _ *sim.Task) { lock(st) }),
			"second (task 2)" + announced + `init (task 0), which waits in "teardown"`,
		},
		"a choice": {
			explored(func(st, _, _ *sim.Task) { st.Choose(2, "colour") }),
			`second (task 2) announced the choice of colour with the handle of init (task 0), which waits in "teardown"`,
		},
		"deferred calls come later": {
			explored(func(st, _, u *sim.Task) { defer lock(u); lock(st) }),
			"second (task 2)" + announced + "init (task 0), which waits",
		},
		"a set-up": {
			func(st *sim.Task) { lock(st.Go("child", func(*sim.Task) {})) },
			"init (task 0)" + announced + "child (task 1), which has not begun",
		},
		"a tear-down": {
			func(st *sim.Task) {
				child := st.Go("child", func(*sim.Task) {})
				st.Explore()
				lock(child)
			},
			"init (task 0)" + announced + "child (task 1), which has ended",
		},
		"an audit": {
			func(st *sim.Task) { st.Machine().Audit(func() *sim.Failure { lock(st); return nil }) },
			"an audit" + announced + "init (task 0), which has ended",
		},
		"a release function": {
			func(st *sim.Task) { st.Machine().Provide("key", 1, func() { lock(st) }) },
			"a release function of Provide" + announced + "init (task 0), which has ended",
		},
		"another machine": {
			explored(func(_, _, _ *sim.Task) { lock(foreign) }),
			"second (task 2)" + announced + "another machine's init (task 0), which has ended",
		},
		"another machine, set-up": {
			func(*sim.Task) { lock(foreign) },
			"init (task 0)" + announced + "another machine's init (task 0), which has ended",
		},
		"an earlier run": {
			func(*sim.Task) { lock(old) },
			"init (task 0)" + announced + "early (task 0), which has ended",
		},
		"Explore by another task": {
			func(st *sim.Task) {
				child := st.Spawn("child", sim.Op{Verb: "start"}, func(*sim.Task) { st.Explore() })
				st.Join(child)
			},
			"Explore is called once, by the first task",
		},
	} {
		for _, trace := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " ", trace), func(t *testing.T) {
				m := sim.NewMachine()
				defer m.Close()
				m.Trace(trace)
				require.Nil(t, m.Run(sim.Default{}, func(st *sim.Task) { old, st.Name = st, "early" }).Failure)
				with := func(st *sim.Task) { st.Own(&obj, "mutex", "m"); c.body(st) }
				f := m.Run(sim.Default{}, with).Failure
				require.NotNil(t, f)
				require.Equal(t, sim.Misuse, f.Kind)
				require.True(t, f.Senseless)
				require.Contains(t, f.Message, c.want)
				require.Nil(t, m.Run(sim.Default{}, crossed).Failure)
			})
		}
	}
}

// Nobody runs, and nobody is there to report it.
func TestStrayOutsideOfRuns(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	var old *sim.Task
	m.Run(sim.Default{}, func(st *sim.Task) { old = st })
	require.PanicsWithError(t, `"work" with the handle of init (task 0), which has ended`, func() { old.Step(sim.Op{Verb: "work"}) })
}
