package explore_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"dmasim/sim"
	"dmasim/sim/explore"
)

// The counter knows nothing of the machine: it interprets small straight-line programs on
// explicit states, and counts their traces with memoised sleep sets (Godefroid, LNCS
// 1032, 1996): sleep sets alone let exactly one execution of every trace come to its end.

// line is one instruction on variable or mutex x; v is a constant.
type line struct {
	op   string // load, store, add, cas, lock, unlock, trylock
	x, v int
}

type counted [][]line

// machineState is a state of the counter.
type machineState struct {
	pc   []int
	vars [3]int
	held [2]int // task + 1, or 0
	ok   []bool // the last trylock of a task succeeded
}

func (s machineState) key(sleep uint) string {
	var b strings.Builder
	fmt.Fprint(&b, s.pc, s.vars, s.held, s.ok, sleep)
	return b.String()
}

// step is what a task would do next: whether it can, and what it touches and how.
func (p counted) step(s machineState, t int) (enabled bool, object string, write bool) {
	if s.pc[t] == len(p[t]) {
		return false, "", false
	}
	switch in := p[t][s.pc[t]]; in.op {
	case "load":
		return true, fmt.Sprint("v", in.x), false
	case "store", "add":
		return true, fmt.Sprint("v", in.x), true
	case "cas":
		return true, fmt.Sprint("v", in.x), s.vars[in.x] == 0
	case "lock":
		return s.held[in.x] == 0, fmt.Sprint("m", in.x), true
	case "unlock":
		return true, fmt.Sprint("m", in.x), s.held[in.x] == t+1
	default:
		return true, fmt.Sprint("m", in.x), s.held[in.x] == 0
	}
}

func (p counted) do(s machineState, t int) machineState {
	n := s
	n.pc = append([]int(nil), s.pc...)
	n.ok = append([]bool(nil), s.ok...)
	in := p[t][s.pc[t]]
	n.pc[t]++
	switch in.op {
	case "store":
		n.vars[in.x] = in.v
	case "add":
		n.vars[in.x] += in.v
	case "cas":
		if s.vars[in.x] == 0 {
			n.vars[in.x] = in.v
		}
	case "lock":
		n.held[in.x] = t + 1
	case "unlock":
		if s.held[in.x] == t+1 {
			n.held[in.x] = 0
		}
	case "trylock":
		if s.held[in.x] == 0 {
			n.held[in.x] = t + 1
		}
	}
	return n
}

// traces counts the traces from s on in which nothing of sleep, a set of tasks, comes
// first.
func (p counted) traces(s machineState, sleep uint, memo map[string]int) int {
	k := s.key(sleep)
	if n, ok := memo[k]; ok {
		return n
	}
	total, any := 0, false
	for t := range p {
		on, obj, wr := p.step(s, t)
		if !on {
			continue
		}
		any = true
		if sleep&(1<<t) != 0 {
			continue
		}
		var next uint
		for z := range p {
			if sleep&(1<<z) == 0 {
				continue
			}
			if _, o, w := p.step(s, z); o != obj || !w && !wr {
				next |= 1 << z
			}
		}
		total += p.traces(p.do(s, t), next, memo)
		sleep |= 1 << t
	}
	if !any {
		total = 1 // the end, or a deadlock
	}
	memo[k] = total
	return total
}

// body is the same program for the machine.
func (p counted) body(t *sim.Task) {
	vars, locks := newVariables(t, 3), newMutexes(t, 2)
	for i, lines := range p {
		t.Go(fmt.Sprint("task", i), func(t *sim.Task) {
			for _, in := range lines {
				switch in.op {
				case "load":
					vars[in.x].load(t)
				case "store":
					vars[in.x].store(t, in.v)
				case "add":
					vars[in.x].add(t, in.v)
				case "cas":
					vars[in.x].cas(t, 0, in.v)
				case "lock":
					locks[in.x].lock(t)
				case "trylock":
					locks[in.x].tryLock(t)
				case "unlock":
					locks[in.x].unlock(t)
				}
			}
		})
	}
	t.Explore()
}

// drawCounted draws a program. Unlocks are drawn only where the mutex is surely held.
func drawCounted(rt *rapid.T) counted {
	var p counted
	for i := range rapid.IntRange(2, 5).Draw(rt, "tasks") {
		var lines []line
		held := -1
		for range rapid.IntRange(1, 5).Draw(rt, "lines") {
			op := rapid.SampledFrom([]string{"load", "load", "store", "add", "cas", "lock", "unlock"}).Draw(rt, "op")
			x := rapid.IntRange(0, 2).Draw(rt, "x")
			switch {
			case op == "lock" && held < 0:
				held = x % 2
				lines = append(lines, line{"lock", held, 0})
			case op == "unlock" && held >= 0:
				lines = append(lines, line{"unlock", held, 0})
				held = -1
			case op != "lock" && op != "unlock":
				lines = append(lines, line{op, x, i + 1})
			}
		}
		if held >= 0 {
			lines = append(lines, line{"unlock", held, 0})
		}
		p = append(p, lines)
	}
	return p
}

// TestDPORAgainstCounter compares the number of traces that dpor runs with that of the
// counter, on programs with far more interleavings than could be enumerated.
func TestDPORAgainstCounter(t *testing.T) {
	programs, largest, runs, sum := 0, 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		p := drawCounted(rt)
		want := p.traces(machineState{pc: make([]int, len(p)), ok: make([]bool, len(p))}, 0, map[string]int{})
		if want > 4_000 {
			rt.Skip("too many traces")
		}
		m := sim.NewMachine()
		defer m.Close()
		d := explore.NewDPOR()
		var traces explore.Traces
		seen := map[uint64]bool{}
		executions := 0
		for more := true; more; {
			r := m.Run(d, p.body)
			if !r.Abandoned {
				seen[traces.Of(m)] = true
				executions++
			}
			more = d.Done(r)
		}
		if len(seen) != want {
			rt.Fatalf("%v: dpor ran %d traces, there are %d", p, len(seen), want)
		}
		programs++
		runs += executions
		sum += want
		largest = max(largest, want)
	})
	require.NotZero(t, programs)
	t.Logf("%d programs with %d traces, the largest with %d; %d runs", programs, sum, largest, runs)
	most := 1.02
	if programs < 1000 { // a single large one may be repeated by a sixth
		most = 1.25
	}
	require.Less(t, float64(runs), most*float64(sum), "dpor repeats itself")
}
