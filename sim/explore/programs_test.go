package explore_test

import (
	"fmt"

	"dmasim/sim"
)

// variable is a shared integer.
type variable struct {
	sim.Object
	v int
}

func newVariable(t *sim.Task, name string) *variable {
	x := &variable{}
	t.Own(&x.Object, "variable", name)
	return x
}

func newVariables(t *sim.Task, n int) []*variable {
	var out []*variable
	for range n {
		out = append(out, newVariable(t, "v"))
	}
	return out
}

func (x *variable) load(t *sim.Task) int {
	t.Step(sim.Op{Verb: "load", Obj: &x.Object, Class: sim.Read})
	return x.v
}

func (x *variable) store(t *sim.Task, v int) {
	t.Step(sim.Op{Verb: "store", Obj: &x.Object})
	x.v = v
}

func (x *variable) add(t *sim.Task, n int) {
	t.Step(sim.Op{Verb: "add", Obj: &x.Object})
	x.v += n
}

// commute adds n and does not look at the sum.
func (x *variable) commute(t *sim.Task, n int) {
	t.Step(sim.Op{Verb: "commute", Obj: &x.Object, Class: sim.Commute})
	x.v += n
}

// succeeds foresees a compare-and-swap.
type succeeds struct {
	x   *variable
	old int
}

func (s succeeds) ClassNow(*sim.Task) sim.Class {
	if s.x.v == s.old {
		return sim.Write
	}
	return sim.Read
}

// cas is a read if it fails.
func (x *variable) cas(t *sim.Task, old, v int) bool {
	t.Step(sim.Op{Verb: "cas", Obj: &x.Object, Foresee: succeeds{x, old}})
	if x.v != old {
		t.Did(sim.Read)
		return false
	}
	x.v = v
	return true
}

// swap exchanges the values of two variables in one operation.
func (x *variable) swap(t *sim.Task, y *variable) {
	t.Step(sim.Op{Verb: "swap", Obj: &x.Object})
	t.Touch(&y.Object, sim.Write)
	x.v, y.v = y.v, x.v
}

// copyFrom reads y and writes x in one operation.
func (x *variable) copyFrom(t *sim.Task, y *variable) {
	t.Step(sim.Op{Verb: "copy", Obj: &x.Object})
	t.Touch(&y.Object, sim.Read)
	x.v = y.v
}

// wait until the variable is at least n.
func (x *variable) wait(t *sim.Task, n int) {
	t.Step(sim.Op{Verb: "wait", Obj: &x.Object, Guard: atLeast{x, n}})
}

// exactly waits until the variable is n: an event can disable it again.
func (x *variable) exactly(t *sim.Task, n int) {
	t.Step(sim.Op{Verb: "exactly", Obj: &x.Object, Class: sim.Read, Guard: equal{x, n}})
}

// down waits for a semaphore and takes one.
func (x *variable) down(t *sim.Task) {
	t.Step(sim.Op{Verb: "down", Obj: &x.Object, Guard: atLeast{x, 1}})
	x.v--
}

type atLeast struct {
	x *variable
	n int
}

func (g atLeast) Ready(*sim.Task) bool { return g.x.v >= g.n }

type equal struct {
	x *variable
	n int
}

func (g equal) Ready(*sim.Task) bool { return g.x.v == g.n }

// oneOf is ready when one of two guards is.
type oneOf [2]sim.Guard

func (g oneOf) Ready(t *sim.Task) bool { return g[0].Ready(t) || g[1].Ready(t) }

// mutex is a lock that one task can hold.
type mutex struct {
	sim.Object
	holder *sim.Task
}

func newMutex(t *sim.Task, name string) *mutex {
	m := &mutex{}
	t.Own(&m.Object, "mutex", name)
	return m
}

func newMutexes(t *sim.Task, n int) []*mutex {
	var out []*mutex
	for range n {
		out = append(out, newMutex(t, "m"))
	}
	return out
}

func (m *mutex) Ready(*sim.Task) bool { return m.holder == nil }
func (m *mutex) Owners(*sim.Task) []*sim.Task {
	if m.holder == nil {
		return nil
	}
	return []*sim.Task{m.holder}
}

func (m *mutex) lock(t *sim.Task) {
	t.Step(sim.Op{Verb: "lock", Obj: &m.Object, Guard: m})
	m.holder = t
}

// isFree foresees a trylock.
type isFree mutex

func (m *isFree) ClassNow(*sim.Task) sim.Class {
	if m.holder == nil {
		return sim.Write
	}
	return sim.Read
}

func (m *mutex) tryLock(t *sim.Task) bool {
	t.Step(sim.Op{Verb: "trylock", Obj: &m.Object, Foresee: (*isFree)(m)})
	if m.holder != nil {
		t.Did(sim.Read)
		return false
	}
	m.holder = t
	return true
}

func (m *mutex) unlock(t *sim.Task) {
	t.Step(sim.Op{Verb: "unlock", Obj: &m.Object, Releases: true})
	m.holder = nil
}

// program is the body of a run; it reports the final state through out, if out is
// not nil.
type program func(t *sim.Task, out *string)

func values(vs []*variable) string {
	s := ""
	for _, v := range vs {
		s += fmt.Sprint(v.v, " ")
	}
	return s
}

// tasks runs one function per task on n variables and m mutexes.
func tasks(vars, mutexes, count int, fn func(t *sim.Task, i int, v []*variable, m []*mutex)) program {
	return func(t *sim.Task, out *string) {
		v, m := newVariables(t, vars), newMutexes(t, mutexes)
		for i := range count {
			t.Go("t", func(t *sim.Task) { fn(t, i, v, m) })
		}
		t.Explore()
		if out != nil {
			*out = values(v)
		}
	}
}

func readers(n int) program {
	return tasks(1, 0, n+1, func(t *sim.Task, i int, v []*variable, _ []*mutex) {
		if i == 0 {
			v[0].store(t, 1)
		} else {
			v[0].load(t)
		}
	})
}

func writers(n int) program {
	return tasks(1, 0, n, func(t *sim.Task, i int, v []*variable, _ []*mutex) { v[0].store(t, i+1) })
}

func writersReader(n int) program {
	return tasks(1, 0, n+1, func(t *sim.Task, i int, v []*variable, _ []*mutex) {
		if i < n {
			v[0].store(t, i+1)
		} else {
			v[0].load(t)
		}
	})
}

func mutexCounter(n int) program {
	return tasks(1, 1, n, func(t *sim.Task, i int, v []*variable, m []*mutex) {
		m[0].lock(t)
		v[0].store(t, v[0].load(t)+1)
		m[0].unlock(t)
	})
}

func inc(n int) program {
	return tasks(1, 0, n, func(t *sim.Task, i int, v []*variable, _ []*mutex) {
		v[0].store(t, v[0].load(t)+1)
	})
}

func lastZero(n int) program {
	return tasks(n+1, 0, n+1, func(t *sim.Task, i int, v []*variable, _ []*mutex) {
		if i > 0 {
			v[i].store(t, v[i-1].load(t)+1)
			return
		}
		for j := n; v[j].load(t) != 0; j-- {
		}
	})
}

func indexer(n int) program {
	const size, most = 128, 4
	return tasks(size, 0, n, func(t *sim.Task, i int, v []*variable, _ []*mutex) {
		for m := 1; m <= most; m++ {
			w := 11*m + i
			h := 7 * w % size
			for !v[h].cas(t, 0, w) {
				h = (h + 1) % size
			}
		}
	})
}

func filesystem(n int) program {
	const blocks, inodes = 26, 32
	return tasks(blocks+inodes, blocks+inodes, n, func(t *sim.Task, i int, v []*variable, m []*mutex) {
		busy, inode, lb, li := v[:blocks], v[blocks:], m[:blocks], m[blocks:]
		i %= inodes
		li[i].lock(t)
		if inode[i].load(t) == 0 {
			b := 2 * i % blocks
			for {
				lb[b].lock(t)
				if busy[b].load(t) == 0 {
					busy[b].store(t, 1)
					inode[i].store(t, b+1)
					lb[b].unlock(t)
					break
				}
				lb[b].unlock(t)
				b = (b + 1) % blocks
			}
		}
		li[i].unlock(t)
	})
}

func sb(n int) program {
	return tasks(n, 0, n, func(t *sim.Task, i int, v []*variable, _ []*mutex) {
		v[i].store(t, 1)
		v[(i+1)%n].load(t)
	})
}

func philosophers(n int) program {
	return tasks(0, n, n, func(t *sim.Task, i int, _ []*variable, m []*mutex) {
		m[i].lock(t)
		m[(i+1)%n].lock(t)
		m[(i+1)%n].unlock(t)
		m[i].unlock(t)
	})
}

func cas(n int) program {
	return tasks(1, 0, n, func(t *sim.Task, i int, v []*variable, _ []*mutex) { v[0].cas(t, 0, i+1) })
}

// casAlways is cas with a failure that counts as a write.
func casAlways(n int) program {
	return tasks(1, 0, n, func(t *sim.Task, i int, v []*variable, _ []*mutex) {
		t.Step(sim.Op{Verb: "cas", Obj: &v[0].Object})
		if v[0].v == 0 {
			v[0].v = i + 1
		}
	})
}

func lockNK(n, k int) program {
	return tasks(1, 1, n, func(t *sim.Task, i int, v []*variable, m []*mutex) {
		for range k {
			m[0].lock(t)
			v[0].v++
			m[0].unlock(t)
		}
	})
}

func rmwNK(n, k int) program {
	return tasks(1, 0, n, func(t *sim.Task, i int, v []*variable, _ []*mutex) {
		for range k {
			v[0].add(t, 1)
		}
	})
}

func indepNK(n, k int) program {
	return tasks(n, 0, n, func(t *sim.Task, i int, v []*variable, _ []*mutex) {
		for range k {
			v[i].add(t, 1)
		}
	})
}

func ringNP(n, p int) program {
	return tasks(n, 0, n, func(t *sim.Task, i int, v []*variable, _ []*mutex) {
		for j := range p / 2 {
			v[(i+j)%n].store(t, 10*i+j+1)
			v[(i+j+1)%n].load(t)
		}
	})
}

// litmus runs tasks written as strings: "Wx Ry".
func litmus(threads ...string) program {
	return tasks(3, 0, len(threads), func(t *sim.Task, i int, v []*variable, _ []*mutex) {
		s := threads[i]
		for len(s) >= 2 {
			x := v[s[1]-'x']
			if s[0] == 'W' {
				x.store(t, i+1)
			} else {
				x.load(t)
			}
			s = s[min(3, len(s)):]
		}
	})
}
