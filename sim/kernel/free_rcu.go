package kernel

import "dmasim/sim"

// earlyFree is an object that FreeRCU will free.
type earlyFree struct {
	gracePeriod
	mem   *Mem
	place moment
}

// FreeRCU is kfree_rcu at its worst: the object is freed the moment that the sections end
// which had begun before. Whoever uses it later uses it after free in the kernel too, only
// not always. It takes no task and no operation of its own: it is part of the operation that
// was granted last, and the free is part of that which ends the last section.
func (t *Task) FreeRCU(m *Mem) {
	t.Check(m)
	r := &t.K.rcu
	t.beginSection()
	t.Touch(&r.Object, rcuGrace)
	for _, f := range r.early {
		if f.mem == m {
			t.Fail(DoubleFree, "%s given to kfree_rcu again by %s", m, t.Task)
		}
	}
	f := earlyFree{gracePeriod{r, r.seq}, m, t.moment()}
	m.fields = nil // it is not t that frees them
	if f.Ready(t.Task) {
		t.Free(m)
		return
	}
	r.early = append(r.early, f)
}

// reap frees what waited for the section of t.
func (r *rcuState) reap(t *Task) {
	for i := 0; i < len(r.early); {
		f := r.early[i]
		if !f.Ready(t.Task) {
			i++
			continue
		}
		r.early = append(r.early[:i:i], r.early[i+1:]...)
		t.Touch(&r.Object, sim.Write)
		t.Free(f.mem)
		f.mem.freed = f.place
	}
}
