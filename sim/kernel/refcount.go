package kernel

import "dmasim/sim"

// Refcount is refcount_t (lib/refcount.c). Every misuse that makes the kernel warn
// and saturate ends the run.
type Refcount struct {
	obj sim.Object
	mem *Mem
	n   int32
}

// RefcountGet is the class of increments that start above zero: they commute.
const RefcountGet = sim.Commute

// Init sets the count to n, as part of in (nil: static storage).
func (r *Refcount) Init(t *Task, in *Mem, name string, n int32) {
	t.own(&r.obj, in, "refcount", name)
	r.mem, r.n = in, n
}

// Inc is refcount_inc: the caller owns a reference already.
func (r *Refcount) Inc(t *Task) {
	t.Step(sim.Op{Verb: "refcount_inc", Obj: &r.obj, Class: RefcountGet})
	t.Check(r.mem)
	if r.n <= 0 {
		t.Fail(RefcountMisuse, "refcount_t: addition on 0; use-after-free: %s", r.obj.Name)
	}
	r.n++
}

// IncNotZero is refcount_inc_not_zero: false if the count is 0.
func (r *Refcount) IncNotZero(t *Task) bool {
	t.Step(sim.Op{Verb: "refcount_inc_not_zero", Obj: &r.obj})
	t.Check(r.mem)
	if r.n == 0 {
		t.Did(sim.Read)
		return false
	}
	r.n++
	t.Did(RefcountGet)
	return true
}

// DecAndTest is refcount_dec_and_test: true for the one that reaches 0.
func (r *Refcount) DecAndTest(t *Task) bool {
	t.Step(sim.Op{Verb: "refcount_dec_and_test", Obj: &r.obj})
	t.Check(r.mem)
	if r.n <= 0 {
		t.Fail(RefcountMisuse, "refcount_t: underflow; use-after-free: %s", r.obj.Name)
	}
	r.n--
	return r.n == 0
}

// Peek reads the count as an auditor does.
func (r *Refcount) Peek() int32 { return r.n }
