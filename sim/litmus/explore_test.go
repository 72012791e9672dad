package litmus

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/sim"
	"dmasim/sim/explore"
)

func load(t testing.TB, name string) *Program {
	text, err := os.ReadFile("testdata/" + name + ".litmus")
	require.NoError(t, err)
	return parse(t, string(text))
}

func parse(t require.TestingT, text string) *Program {
	p, err := Parse(text)
	require.NoError(t, err, "%s", text)
	return p
}

func dpor(t require.TestingT, p *Program) *Result {
	return Explore(context.Background(), p, explore.NewDPOR(), Options{})
}

// brute runs all interleavings. It also returns the number of those that differ in
// more than the order of operations that commute.
func brute(p *Program) (r *Result, traces int) {
	seen := map[string]bool{}
	d := &recorder{DFS: explore.NewDFS(explore.Coverage{Bound: explore.All}), seen: seen}
	return Explore(context.Background(), p, d, Options{}), len(seen)
}

// recorder is a search that keeps the traces of its runs.
type recorder struct {
	*explore.DFS
	m    *sim.Machine
	seen map[string]bool
}

func (r *recorder) Next(p *sim.Point) *sim.Task {
	r.m = p.Current.Machine()
	return r.DFS.Next(p)
}

func (r *recorder) Done(res *sim.Result) bool {
	r.seen[trace(r.m.Events())] = true
	return r.DFS.Done(res)
}

// trace is equal for two runs if they order the same pairs of dependent events in the
// same way: it lists for each event, in the order of its task, which events of others
// that conflict with it came before.
func trace(events []sim.Event) string {
	nth := make([]int, len(events))
	count := map[*sim.Task]int{}
	for i, e := range events {
		count[e.Task]++
		nth[i] = count[e.Task]
	}
	var lines []string
	for i, e := range events {
		line := fmt.Sprintf("%d.%d %s %d:", e.Task.Index(), nth[i], e.Verb, e.Class)
		var before []string
		for k, f := range events[:i] {
			if f.Obj == e.Obj && e.Obj != nil && e.Class.Conflicts(f.Class) {
				before = append(before, fmt.Sprintf(" %d.%d", f.Task.Index(), nth[k]))
			}
		}
		slices.Sort(before)
		lines = append(lines, line+strings.Join(before, ""))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// states leaves the counts out: they are of executions, and differ by strategy.
func states(r *Result) []State {
	out := []State{}
	for _, s := range r.States {
		out = append(out, s.State)
	}
	return out
}

// requireSame checks a reduced exploration against all interleavings. With want it
// runs that many executions, one for each trace; otherwise it misses none.
func requireSame(t require.TestingT, p *Program, want int) {
	all, traces := brute(p)
	got := dpor(t, p)
	require.True(t, all.Complete)
	require.True(t, got.Complete)
	require.Equal(t, states(all), states(got), "%s", p)
	require.Equal(t, all.Deadlocks > 0, got.Deadlocks > 0)
	require.LessOrEqual(t, traces, got.Executions, "%s", p)
	if want > 0 {
		require.Equal(t, want, traces, "%s", p)
		require.Equal(t, want, got.Executions, "%s", p)
	}
	sum := got.Deadlocks
	for _, s := range got.States {
		sum += s.Count
	}
	require.Equal(t, got.Executions, sum)
}

func TestReference(t *testing.T) {
	for _, c := range []struct {
		name                       string
		executions, raw, deadlocks int
		condition                  bool
	}{
		{"sb", 3, 6, 0, false},
		{"lb", 3, 6, 0, false},
		{"mp", 3, 6, 0, true},
		{"s", 3, 6, 0, false},
		{"2+2w", 3, 6, 0, true},
		{"iriw", 15, 180, 0, false},
		{"counter", 6, 6, 0, true},
		{"lost", 4, 6, 0, true},
		{"cas", 3, 6, 0, true},
		{"faa", 6, 6, 0, true},
		{"trylock", 4, 6, 0, true},
		{"philosophers", 7, 0, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := load(t, c.name)
			r := dpor(t, p)
			require.True(t, r.Complete)
			require.Equal(t, c.executions, r.Executions)
			require.Equal(t, c.deadlocks, r.Deadlocks)
			require.Nil(t, r.Failure)
			if p.Condition != nil {
				require.Equal(t, c.condition, r.True(p.Condition))
			}
			requireSame(t, p, c.executions)
			if c.raw > 0 {
				// One event for a cell, and none besides.
				all, _ := brute(p)
				require.Equal(t, c.raw, all.Executions)
			}
		})
	}
}

// columns makes a program of n columns, each of them made by f.
func columns(n int, f func(i int) []string) string {
	var cols [][]string
	rows := 0
	for i := range n {
		c := f(i)
		cols = append(cols, c)
		rows = max(rows, len(c))
	}
	text := ""
	for r := range rows {
		for i, c := range cols {
			if i > 0 {
				text += " | "
			}
			if r < len(c) {
				text += c[r]
			}
		}
		text += "\n"
	}
	return text
}

func TestFamilies(t *testing.T) {
	for n, want := 2, 3; n <= 6; n, want = n+1, 2*want+1 {
		r := dpor(t, parse(t, columns(n, func(i int) []string {
			left, right := fmt.Sprintf("f%d", i), fmt.Sprintf("f%d", (i+1)%n)
			return []string{"lock " + left, "lock " + right, "unlock " + right, "unlock " + left}
		})))
		require.Equal(t, want, r.Executions, "%d philosophers", n)
		require.Equal(t, 1, r.Deadlocks)
		r = dpor(t, parse(t, columns(n, func(i int) []string {
			return []string{fmt.Sprintf("x%d = 1", i), fmt.Sprintf("r0 = x%d", (i+1)%n)}
		})))
		require.Equal(t, want, r.Executions, "ring of %d", n)
		require.Len(t, r.States, want)
	}
	factorial := 1
	for n := 2; n <= 5; n++ {
		factorial *= n
		require.Equal(t, n, dpor(t, parse(t, columns(n, func(i int) []string {
			return []string{fmt.Sprintf("r0 = cas x 0 %d", i+1)}
		}))).Executions, "cas of %d", n)
		require.Equal(t, factorial, dpor(t, parse(t, columns(n, func(int) []string {
			return []string{"lock m", "r0 = c", "c = r0 + 1", "unlock m"}
		}))).Executions, "counter of %d", n)
		if n <= 4 {
			require.Equal(t, factorial*factorial, dpor(t, parse(t, columns(n, func(int) []string {
				return []string{"r0 = c", "c = r0 + 1"}
			}))).Executions, "lost update of %d", n)
		}
	}
}

func TestAgainstAllInterleavings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawProgram(t, 3, 3)
		all, _ := brute(p)
		if all.Failure != nil { // exploration stops there, wherever it came first
			require.NotNil(t, dpor(t, p).Failure)
			return
		}
		requireSame(t, p, 0)
	})
}

func TestDeadlockIsNotTheEnd(t *testing.T) {
	r := dpor(t, load(t, "philosophers"))
	require.NotNil(t, r.Deadlock)
	require.Equal(t, "task 0 waits for lock b held by task 1; task 1 waits for lock c held by task 2; task 2 waits for lock a held by task 0", r.Deadlock.Failure.Message)
	require.Len(t, r.Deadlock.Trace, 3)
	require.Len(t, r.Deadlock.Waiting, 3)

	// Nobody gives back what a task has kept.
	p := parse(t, "lock m | lock m\nx = 1 | x = 2\n")
	r = dpor(t, p)
	require.Equal(t, 2, r.Executions)
	require.Equal(t, 2, r.Deadlocks)
	require.Empty(t, r.States)
	_, ok := p.Final()
	require.False(t, ok)
}

func TestMisuse(t *testing.T) {
	for text, message := range map[string]string{
		"unlock m | x = 1\n":                   "task 0 unlocks m, which nobody holds",
		"lock m | r0 = x\nx = 1 | unlock m\n":  "task 1 unlocks m, which ",
		"lock m\nunlock m\nunlock m\n":         "task 0 unlocks m, which nobody holds",
		"r0 = trylock m\nunlock m\nunlock m\n": "task 0 unlocks m, which nobody holds",
	} {
		r := dpor(t, parse(t, text))
		require.NotNil(t, r.Failure, "%s", text)
		require.Equal(t, sim.Misuse, r.Failure.Failure.Kind)
		require.Contains(t, r.Failure.Failure.Message, message)
		require.False(t, r.Complete)
		last := r.Failure.Trace[len(r.Failure.Trace)-1]
		require.Equal(t, Unlock, last.Op.Kind)
	}
}

func TestMeaning(t *testing.T) {
	for _, c := range []struct {
		text string
		want string // keys and values of the only final state
	}{
		{"x = 5;\nr0 = x\nr1 = r0 - 7 + r0\nx = -r1 + 1", "0:r0=5 0:r1=3 x=-2"},
		{"r0 = faa x 3\nr1 = faa x r0\nr2 = faa x -1", "0:r0=0 0:r1=3 0:r2=3 x=2"},
		{"x = -1;\nr0 = cas x -1 4\nr1 = cas x -1 5\nr2 = cas x r1 r0", "0:r0=-1 0:r1=4 0:r2=4 x=-1"},
		{"r0 = trylock m\nr1 = trylock m\nunlock m\nr2 = trylock m", "0:r0=1 0:r1=0 0:r2=1"},
		{"x = 9223372036854775807;\nr0 = faa x 1\n", "0:r0=9223372036854775807 x=-9223372036854775808"},
		{"y = 3;\nx = r5\n", "x=0 y=3"},
		{"r1 = 2 | r1 = 3\nx = r1 |", "0:r1=2 1:r1=3 x=2"},
		{"| | r0 = 1", "2:r0=1"},
		{"|", ""},
	} {
		p := parse(t, c.text)
		requireSame(t, p, 1)
		s, ok := p.Final()
		require.True(t, ok)
		var parts []string
		for i, k := range s.Keys {
			parts = append(parts, fmt.Sprintf("%s=%d", k, s.Values[i]))
		}
		require.Equal(t, c.want, strings.Join(parts, " "), "%s", c.text)
	}
}

func TestCondition(t *testing.T) {
	const program = "x = 1 | x = 2\n| r0 = x\n" // states: 1:r0=1 x=1, 1:r0=2 x=1, 1:r0=2 x=2
	for condition, want := range map[string]bool{
		"exists (x = 1)":                               true,
		"exists (x = 3)":                               false,
		"~exists (x = 3)":                              true,
		"~exists ([x]=1)":                              false,
		"forall (x = 1 \\/ x = 2)":                     true,
		"forall (x = 2)":                               false,
		"forall (x != 0)":                              true,
		"exists (1:r0 = 2 /\\ x = 1)":                  true,
		"exists (1:r0 = 1 /\\ x = 2)":                  false,
		"exists ~(x = 1 \\/ x = 2)":                    false,
		"exists (~x = 1 /\\ ~x = 2 \\/ x = 1)":         true,
		"forall\n(x = 1 # one\n \\/ x\n= 2\n)\n\n":     true,
		"exists x = 1 /\\ (x = 2 \\/ 1:r0 = 1)":        true,
		"forall (1:r0 = -2 \\/ 1:r0 != -2)":            true,
		"exists (x = 1 /\\ x = 2 \\/ x = 3 /\\ x = 3)": false,
	} {
		p := parse(t, program+condition)
		r := dpor(t, p)
		require.Equal(t, want, r.True(p.Condition), "%s", condition)
	}
	// Of no state at all.
	none := &Result{}
	for q, want := range map[Quantifier]bool{Exists: false, NotExists: true, ForAll: true} {
		require.Equal(t, want, none.True(&Condition{Quantifier: q, Proposition: Atom{Key: "x"}}))
	}
}

func TestBudget(t *testing.T) {
	p := load(t, "iriw")
	r := Explore(context.Background(), p, explore.NewDFS(explore.Coverage{Bound: explore.All}), Options{Runs: 10})
	require.Equal(t, 10, r.Executions)
	require.False(t, r.Complete)
	r = Explore(context.Background(), p, explore.NewRandom(1), Options{Runs: 1000})
	require.Equal(t, 1000, r.Executions)
	require.Len(t, r.States, 15)
	require.False(t, r.Complete)
	r = Explore(context.Background(), p, explore.NewRandom(1), Options{Time: 1})
	require.False(t, r.Complete)
	ctx, stop := context.WithCancel(context.Background())
	stop()
	require.False(t, Explore(ctx, p, explore.NewRandom(1), Options{}).Complete)
}

// TestAllocations keeps the cost of a run down to what the machine does.
func TestAllocations(t *testing.T) {
	p := load(t, "iriw")
	m := sim.NewMachine()
	defer m.Close()
	body := p.Body()
	m.Run(sim.Default{}, body)
	require.Less(t, testing.AllocsPerRun(100, func() { m.Run(sim.Default{}, body) }), 20.0)
}
