package explore_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// TestSamplersStayInside checks that what the samplers run exists.
func TestSamplersStayInside(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		text, p := randomProgram(r, strings.Fields(allVerbs))
		all := enumerate(explore.NewDFS(explore.Coverage{Bound: explore.All}), p, 2000)
		if !all.exhausted {
			r.Skip("too many interleavings")
		}
		for _, s := range []explore.Strategy{explore.NewRandom(7), explore.NewPOS(7), explore.NewPCT(7, 3)} {
			got := enumerate(s, p, 60)
			for tr := range got.traces {
				if _, ok := all.traces[tr]; !ok {
					r.Fatalf("%v: %s ran what does not exist", text, s.Name())
				}
			}
			require.Equal(r, explore.Coverage{}, s.Covered())
		}
	})
}

// TestSamplersReachAll checks that each sampler finds all traces of small programs.
func TestSamplersReachAll(t *testing.T) {
	for _, s := range []explore.Strategy{explore.NewRandom(3), explore.NewPOS(3), explore.NewPCT(3, 3)} {
		for name, p := range map[string]program{"writers": writers(3), "sb": sb(2), "lock": lockNK(2, 2)} {
			want := enumerate(explore.NewDPOR(), p, 1000)
			got := enumerate(s, p, 2000)
			require.Equal(t, keys(want.traces), keys(got.traces), "%s, %s", s.Name(), name)
		}
	}
}

func TestSamplersRepeat(t *testing.T) {
	for name, make := range map[string]func() explore.Strategy{
		"random": func() explore.Strategy { return explore.NewRandom(5) },
		"pos":    func() explore.Strategy { return explore.NewPOS(5) },
		"pct":    func() explore.Strategy { return explore.NewPCT(5, 3) },
	} {
		a, b := enumerate(make(), ringNP(3, 4), 200), enumerate(make(), ringNP(3, 4), 200)
		require.Equal(t, a.traces, b.traces, name)
	}
}

// steps is a program of tasks with so many steps on nothing shared, each its own.
func steps(n ...int) program {
	return func(t *sim.Task, out *string) {
		sequences(n, func(*sim.Task, int, int) {})(t)
	}
}

// TestDFSCounts compares with numbers of schedules counted by hand.
func TestDFSCounts(t *testing.T) {
	bound := func(b explore.Bound, n int) explore.Coverage { return explore.Coverage{Bound: b, N: n} }
	for _, c := range []struct {
		name  string
		p     program
		bound explore.Coverage
		want  int
		all   bool
	}{
		{"two tasks of two steps, all", steps(2, 2), bound(explore.All, 0), 6, true},
		{"three tasks of two steps, all", steps(2, 2, 2), bound(explore.All, 0), 90, true},
		{"no delay", steps(2, 2), bound(explore.Delays, 0), 1, false},
		// One delay at the first, second or third step: at the first the second
		// task begins and runs to its end; at the second it does so after one
		// step of the first; at the third only one task is left to run.
		{"one delay", steps(2, 2), bound(explore.Delays, 1), 3, false},
		{"six delays", steps(2, 2), bound(explore.Delays, 6), 6, true},
		// At the start nobody runs yet: which task begins is free.
		{"no preemption", steps(2, 2), bound(explore.Preemptions, 0), 2, false},
		{"one preemption", steps(2, 2), bound(explore.Preemptions, 1), 4, false},
		{"two preemptions", steps(2, 2), bound(explore.Preemptions, 2), 6, true},
		{"no preemption, three tasks", steps(2, 2, 2), bound(explore.Preemptions, 0), 6, false},
		{"one task", steps(5), bound(explore.Delays, 0), 1, true},
	} {
		d := explore.NewDFS(c.bound)
		got := enumerate(d, c.p, 1000)
		require.True(t, got.exhausted, c.name)
		require.Equal(t, c.want, got.executions, c.name)
		if c.all {
			require.Equal(t, explore.Coverage{Bound: explore.All}, d.Covered(), c.name)
		} else {
			require.Equal(t, c.bound, d.Covered(), c.name)
		}
	}
}

func lostUpdate(n int) func(*sim.Task) {
	return func(t *sim.Task) {
		x := newVariable(t, "x")
		for range n {
			t.Go("inc", func(t *sim.Task) { x.store(t, x.load(t)+1) })
		}
		t.Explore()
		if x.v != n {
			t.Fail(sim.Bug, "lost an update")
		}
	}
}

func TestDeepenFindsFewestDelays(t *testing.T) {
	rep := explore.Run(context.Background(), lostUpdate(3), explore.NewDeepen(explore.Coverage{Bound: explore.Delays, N: 4}), explore.Options{MinimizeRuns: -1})
	require.NotNil(t, rep.Found)
	defer rep.Found.Machine.Close()
	require.Equal(t, sim.Bug, rep.Found.Failure.Kind)
	require.Len(t, rep.Found.Schedule.Switches, 1, "%s", rep.Found.Schedule)
	require.Equal(t, explore.Coverage{Bound: explore.Delays, N: 0}, rep.Coverage)
}

// TestMinimize: a lost update needs one preemption, and no schedule has less.
func TestMinimize(t *testing.T) {
	for seed := range uint64(50) {
		rep := explore.Run(context.Background(), lostUpdate(3), explore.NewRandom(seed), explore.Options{Executions: 1000})
		require.NotNil(t, rep.Found)
		require.Equal(t, 1, rep.Found.Schedule.Preemptions(), "seed %d: %s", seed, rep.Found.Schedule)
		rep.Found.Machine.Close()
	}
}

func TestReplayFollowsAndDiverges(t *testing.T) {
	m := sim.NewMachine()
	defer m.Close()
	body := lostUpdate(2)
	s, err := sim.ParseSchedule("@3>2")
	require.NoError(t, err)
	r := explore.NewReplay(s)
	require.NotNil(t, m.Run(r, body).Failure)
	require.Empty(t, r.Diverged)
	require.Empty(t, r.Unused())

	s, err = sim.ParseSchedule("@3>7,90>1")
	require.NoError(t, err)
	r = explore.NewReplay(s)
	require.Nil(t, m.Run(r, body).Failure)
	require.Contains(t, r.Diverged, "step 3: recorded a switch to task 7")
	require.Contains(t, r.Unused(), "step 90")

	s, err = sim.ParseSchedule("?0=5")
	require.NoError(t, err)
	r = explore.NewReplay(s)
	m.Run(r, func(t *sim.Task) {
		t.Go("t", func(t *sim.Task) { t.Choose(2, "c") })
		t.Explore()
	})
	require.Contains(t, r.Diverged, "choice 0: recorded value 5")
}

func TestCoverageStrings(t *testing.T) {
	for _, c := range []explore.Coverage{{}, {Bound: explore.All}, {Bound: explore.Delays, N: 3}, {Bound: explore.Preemptions}} {
		got, err := explore.ParseCoverage(c.String())
		require.NoError(t, err)
		require.Equal(t, c, got)
	}
	for _, bad := range []string{"", "everything", "delays", "delays<=", "delays<=-1", "delays<=x"} {
		_, err := explore.ParseCoverage(bad)
		require.Error(t, err, bad)
	}
	require.True(t, explore.Coverage{Bound: explore.All}.Reaches(explore.Coverage{Bound: explore.Delays, N: 9}))
	require.False(t, explore.Coverage{Bound: explore.Delays, N: 9}.Reaches(explore.Coverage{Bound: explore.Preemptions}))
	require.False(t, explore.Coverage{Bound: explore.Delays, N: 1}.Reaches(explore.Coverage{Bound: explore.Delays, N: 2}))
}
