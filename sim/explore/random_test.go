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

// instruction is one operation of a random program.
type instruction struct {
	verb string
	x, y int // which objects
	n    int
	sub  []instruction // what a spawned task does
}

func (i instruction) String() string {
	s := fmt.Sprintf("%s(%d,%d,%d)", i.verb, i.x, i.y, i.n)
	if i.sub != nil {
		s += fmt.Sprint(i.sub)
	}
	return s
}

// universe is what the tasks of a random program share.
type universe struct {
	v []*variable
	m []*mutex
}

// op is what the instruction announces.
func (u *universe) op(i instruction) sim.Op {
	v, m := u.v[i.x], u.m[i.x]
	switch i.verb {
	case "load", "skip":
		return sim.Op{Verb: i.verb, Obj: &v.Object, Class: sim.Read}
	case "commute":
		return sim.Op{Verb: i.verb, Obj: &v.Object, Class: sim.Commute}
	case "wait":
		return sim.Op{Verb: i.verb, Obj: &v.Object, Guard: atLeast{v, i.n}}
	case "down":
		return sim.Op{Verb: i.verb, Obj: &v.Object, Guard: atLeast{v, 1}}
	case "exactly":
		return sim.Op{Verb: i.verb, Obj: &v.Object, Class: sim.Read, Guard: equal{v, i.n}}
	case "lock", "locktouch":
		return sim.Op{Verb: i.verb, Obj: &m.Object, Guard: m}
	case "either": // what is waited for, or something else that ends the wait
		w := u.v[i.y]
		return sim.Op{Verb: i.verb, Obj: &v.Object, Also: &w.Object, Guard: oneOf{equal{v, i.n}, equal{w, 1}}}
	case "lockor":
		w := u.v[i.y]
		return sim.Op{Verb: i.verb, Obj: &m.Object, Also: &w.Object, Guard: oneOf{m, equal{w, 1}}}
	case "trylock":
		return sim.Op{Verb: i.verb, Obj: &m.Object}
	case "unlock":
		// The promise is made in half of the programs only.
		return sim.Op{Verb: i.verb, Obj: &m.Object, Releases: i.n == 1}
	case "choose", "maybe", "spawn", "join":
		return sim.Op{Verb: i.verb}
	}
	return sim.Op{Verb: i.verb, Obj: &v.Object}
}

// run executes a list of instructions, the first of which was granted already.
func (u *universe) run(t *sim.Task, list []instruction) {
	var children []*sim.Task
	var held [2]bool
	for k := 0; k < len(list); k++ {
		i := list[k]
		if i.verb == "unlock" && !held[i.x] {
			i.verb = "load"
		}
		if i.verb == "join" {
			if k == 0 || len(children) == 0 {
				i.verb = "choose"
			} else {
				t.Join(children[len(children)-1])
				continue
			}
		}
		if k > 0 {
			t.Step(u.op(i))
		}
		v, m := u.v[i.x], u.m[i.x]
		w := u.v[i.y]
		switch i.verb {
		case "skip":
			if v.v&1 == 1 {
				k++
			}
		case "store":
			v.v = i.n
		case "add", "signal", "commute":
			v.v++
		case "down":
			v.v--
		case "cas":
			if v.v != i.n {
				t.Did(sim.Read)
			} else {
				v.v++
			}
		case "swap":
			t.Touch(&w.Object, sim.Write)
			v.v, w.v = w.v, v.v
		case "copy":
			t.Touch(&w.Object, sim.Read)
			v.v = w.v
		case "lock":
			m.holder, held[i.x] = t, true
		case "locktouch":
			t.Touch(&v.Object, sim.Write)
			v.v++
			m.holder, held[i.x] = t, true
		case "either":
			if v.v == i.n {
				v.v++
			} else {
				t.Did(sim.Read)
			}
		case "trylock", "lockor":
			if m.holder != nil {
				t.Did(sim.Read)
			} else {
				m.holder, held[i.x] = t, true
			}
		case "unlock":
			m.holder, held[i.x] = nil, false
		case "choose":
			if t.Choose(2, "c") == 1 {
				k++
			}
		case "maybe": // a choice that decides about the access, and another one
			if t.Choose(2, "c") == 1 {
				t.Touch(&v.Object, sim.Write)
				v.v += t.Choose(2, "d")
			}
		case "spawn":
			children = append(children, u.start(t, i.sub))
		}
	}
}

func (u *universe) start(t *sim.Task, list []instruction) *sim.Task {
	first := list[0]
	switch first.verb {
	case "unlock":
		first.verb = "load"
	case "join":
		first.verb = "choose"
	}
	list = append([]instruction{first}, list[1:]...)
	return t.Spawn("t", u.op(first), func(t *sim.Task) { u.run(t, list) })
}

func randomProgram(r *rapid.T, verbs []string) ([][]instruction, program) {
	promise := rapid.IntRange(0, 1).Draw(r, "promise")
	var list func(most, depth int) []instruction
	list = func(most, depth int) []instruction {
		return rapid.SliceOfN(rapid.Custom(func(r *rapid.T) instruction {
			i := instruction{
				verb: rapid.SampledFrom(verbs).Draw(r, "verb"),
				x:    rapid.IntRange(0, 1).Draw(r, "x"),
				n:    rapid.IntRange(0, 2).Draw(r, "n"),
			}
			i.y = 1 - i.x
			if i.verb == "unlock" {
				i.n = promise
			}
			if i.verb == "spawn" {
				if depth > 0 {
					i.verb = "add"
				} else {
					i.sub = list(2, depth+1)
				}
			}
			return i
		}), 1, most).Draw(r, "task")
	}
	var threads [][]instruction
	for range rapid.IntRange(2, 4).Draw(r, "tasks") {
		threads = append(threads, list(4, 0))
	}
	return threads, func(t *sim.Task, out *string) {
		u := &universe{newVariables(t, 2), newMutexes(t, 2)}
		for _, l := range threads {
			u.start(t, l)
		}
		t.Explore()
		if out != nil {
			*out = values(u.v)
		}
	}
}

const allVerbs = "load store add cas commute swap copy lock lock unlock unlock trylock locktouch wait signal down exactly choose maybe skip spawn join either lockor"

// verbSets are the instructions that programs are made of: all, and some sets that
// are denser in what is hard.
var verbSets = map[string]string{
	"all":     allVerbs,
	"locks":   "lock lock unlock trylock locktouch load skip store",
	"waits":   "wait down signal exactly store commute",
	"either":  "either either lockor lockor lock unlock unlock store signal exactly",
	"plain":   "load store add cas skip commute swap copy",
	"choices": "choose choose load store lock unlock trylock skip",
	"labels":  "choose maybe maybe load store",
}

// fickle tells whether a program has operations that touch less than they
// announce, or more, or what depends on a choice. Then a trace may be run twice, see DPOR.
func fickle(text string) bool {
	for _, verb := range []string{"cas", "trylock", "maybe", "locktouch", "swap", "copy", "either", "lockor"} {
		if strings.Contains(text, verb) {
			return true
		}
	}
	return false
}

const mostInterleavings = 20_000

// TestDPORAgainstBruteForce compares the traces, final states and deadlocks of
// random programs with those of all their interleavings.
func TestDPORAgainstBruteForce(t *testing.T) {
	limit := mostInterleavings
	if testing.Short() {
		limit /= 10
	}
	for name, verbs := range verbSets {
		t.Run(name, func(t *testing.T) {
			programs, traces, executions, blocked := 0, 0, 0, 0
			rapid.Check(t, func(r *rapid.T) {
				text, p := randomProgram(r, strings.Fields(verbs))
				all := enumerate(explore.NewDFS(explore.Coverage{Bound: explore.All}), p, limit)
				if !all.exhausted {
					r.Skip("too many interleavings")
				}
				d := explore.NewDPOR()
				got := enumerate(d, p, 3*mostInterleavings)
				if !got.exhausted {
					r.Fatalf("%v: not exhausted", text)
				}
				if miss := len(all.traces) - len(got.traces); miss > 0 {
					r.Fatalf("%v: %d of %d traces are missing", text, miss, len(all.traces))
				}
				require.Equal(r, keys(all.traces), keys(got.traces), "%v", text)
				require.Equal(r, all.states, got.states, "%v", text)
				require.Equal(r, all.deadlocks, got.deadlocks, "%v", text)
				if got.executions != len(all.traces) && !fickle(fmt.Sprint(text)) {
					r.Fatalf("%v: %d executions for %d traces", text, got.executions, len(all.traces))
				}
				programs++
				traces += len(got.traces)
				executions += got.executions
				blocked += d.Blocked()
			})
			t.Logf("%d programs, %d traces, %d executions, %d blocked", programs, traces, executions, blocked)
		})
	}
}
