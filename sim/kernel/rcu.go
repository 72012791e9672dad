package kernel

import "dmasim/sim"

// rcuState knows the read sections that are open. Sections are numbered in the
// order in which they begin; a grace period waits for those that had a number when
// it started.
type rcuState struct {
	sim.Object
	seq     int
	readers []*Task
}

// Readers commute with readers and grace periods with grace periods; a reader and
// a grace period do not.
const (
	rcuReader = sim.Commute
	rcuGrace  = sim.Commute + 1
)

func (r *rcuState) begin(t *Task) {
	r.seq++
	t.reading, t.rcuSeq = true, r.seq
	r.readers = append(r.readers, t)
	t.Touch(&r.Object, rcuReader)
}

func (r *rcuState) end(t *Task) {
	t.reading = false
	for i, u := range r.readers {
		if u == t {
			r.readers = append(r.readers[:i], r.readers[i+1:]...)
			break
		}
	}
	t.Touch(&r.Object, rcuReader)
}

// gracePeriod is ready when the sections up to seq have ended.
type gracePeriod struct {
	r   *rcuState
	seq int
}

func (g gracePeriod) Ready(*sim.Task) bool {
	for _, t := range g.r.readers {
		if t.rcuSeq <= g.seq {
			return false
		}
	}
	return true
}

func (g gracePeriod) Owners(*sim.Task) []*sim.Task {
	var out []*sim.Task
	for _, t := range g.r.readers {
		if t.rcuSeq <= g.seq {
			out = append(out, t.Task)
		}
	}
	return out
}

// RCUReadLock is rcu_read_lock; sections nest.
func (t *Task) RCUReadLock() { t.rcu++ }

// RCUReadUnlock is rcu_read_unlock.
func (t *Task) RCUReadUnlock() {
	if t.rcu == 0 {
		t.Fail(sim.Misuse, "rcu_read_unlock outside a read section (%s)", t.Task)
	}
	t.rcu--
	if t.rcu == 0 && t.reading {
		t.K.rcu.end(t)
	}
}

// CallRCU is call_rcu: fn runs in softirq context after a grace period that starts
// now. It is part of the operation that was granted last.
func (t *Task) CallRCU(name string, fn func(*Task)) {
	r := &t.K.rcu
	t.Touch(&r.Object, rcuGrace)
	t.spawn(InSoftirq, name, sim.Op{Verb: "grace period", Obj: &r.Object, Class: rcuGrace, Guard: gracePeriod{r, r.seq}}, fn)
}

// SynchronizeRCU is synchronize_rcu: returns after a full grace period.
func (t *Task) SynchronizeRCU() {
	r := &t.K.rcu
	if t.rcu > 0 && t.ctx < InSoftirq {
		t.Fail(Context, "synchronize_rcu inside an RCU read section: deadlock (%s)", t.Task)
	}
	t.MightSleep("synchronize_rcu", "")
	t.Step(sim.Op{Verb: "synchronize_rcu", Obj: &r.Object, Class: rcuGrace})
	t.Step(sim.Op{Verb: "grace period", Obj: &r.Object, Class: rcuGrace, Guard: gracePeriod{r, r.seq}})
}

// RCU is a pointer that is published with rcu_assign_pointer.
type RCU[T any] struct {
	obj sim.Object
	mem *Mem
	p   *T
}

// Init sets the pointer to nil, as part of in (nil: static storage).
func (r *RCU[T]) Init(t *Task, in *Mem, name string) {
	t.own(&r.obj, in, "rcu pointer", name)
	r.mem, r.p = in, nil
}

// Assign is rcu_assign_pointer.
func (r *RCU[T]) Assign(t *Task, p *T) {
	t.Step(sim.Op{Verb: "rcu_assign_pointer", Obj: &r.obj})
	t.Check(r.mem)
	r.p = p
}

// Dereference is rcu_dereference: needs a read section (C-RCU-05).
func (r *RCU[T]) Dereference(t *Task) *T {
	if t.rcu == 0 {
		t.Fail(Context, "suspicious RCU usage: rcu_dereference(%s) outside a read section (%s)", r.obj.Name, t.Task)
	}
	return r.load(t)
}

// DereferenceProtected is rcu_dereference_protected: held says whether the update
// side's lock is held.
func (r *RCU[T]) DereferenceProtected(t *Task, held bool) *T {
	if !held {
		t.Fail(Context, "suspicious RCU usage: rcu_dereference_protected(%s) without its lock (%s)", r.obj.Name, t.Task)
	}
	return r.load(t)
}

func (r *RCU[T]) load(t *Task) *T {
	t.Step(sim.Op{Verb: "rcu_dereference", Obj: &r.obj, Class: sim.Read})
	t.Check(r.mem)
	return r.p
}

// Peek reads the pointer as an auditor does.
func (r *RCU[T]) Peek() *T { return r.p }
