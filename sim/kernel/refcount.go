package kernel

import (
	"math"

	"dmasim/sim"
)

// Refcount is refcount_t (include/linux/refcount.h): a count that is pinned at a value far
// from zero as soon as it is misused, so that the object leaks rather than being freed
// twice. Misuse is a warning, once for each message, and the run goes on with the pinned
// count.
//
// The kernel pins the count with a second store, so for a moment others can see what the
// misuse made of it; here the two are one operation.
type Refcount struct {
	obj sim.Object
	mem *Mem
	n   int32
}

const (
	// RefcountMax is REFCOUNT_MAX.
	RefcountMax = math.MaxInt32
	// RefcountSaturated is REFCOUNT_SATURATED.
	RefcountSaturated = math.MinInt32 / 2
)

// RefcountGet is the class of increments that start above zero and stay in range: they
// commute.
const RefcountGet = sim.Commute

// Init sets the count to n, as part of in (nil: static storage).
func (r *Refcount) Init(t *Task, in *Mem, name string, n int32) {
	t.own(&r.obj, in, "refcount", name)
	r.mem, r.n = in, n
}

// Set is refcount_set and refcount_set_release.
func (r *Refcount) Set(t *Task, n int32) {
	t.Step(sim.Op{Verb: "refcount_set", Obj: &r.obj})
	t.Check(r.mem)
	t.Overwrite(&r.obj)
	r.n = n
}

// Read is refcount_read.
func (r *Refcount) Read(t *Task) int32 {
	t.Step(sim.Op{Verb: "refcount_read", Obj: &r.obj, Class: sim.Read})
	t.Check(r.mem)
	t.Observe(&r.obj)
	return r.n
}

// Inc is refcount_inc: the caller owns a reference already.
func (r *Refcount) Inc(t *Task) { r.add(t, "refcount_inc", 1) }

// Add is refcount_add.
func (r *Refcount) Add(t *Task, n int32) { r.add(t, "refcount_add", n) }

func (r *Refcount) add(t *Task, call string, n int32) {
	t.Step(sim.Op{Verb: call, Obj: &r.obj, Foresee: addition{r, n, sim.Write}})
	t.Check(r.mem)
	switch {
	case r.n == 0:
		r.saturate(t, "addition on 0; use-after-free")
	case r.n < 0 || r.n+n < 0:
		r.saturate(t, "saturated; leaking memory")
	default:
		r.n += n
		t.Did(RefcountGet)
	}
}

// IncNotZero is refcount_inc_not_zero: false if the count is 0.
func (r *Refcount) IncNotZero(t *Task) bool { return r.addNotZero(t, "refcount_inc_not_zero", 1) }

// AddNotZero is refcount_add_not_zero.
func (r *Refcount) AddNotZero(t *Task, n int32) bool {
	return r.addNotZero(t, "refcount_add_not_zero", n)
}

func (r *Refcount) addNotZero(t *Task, call string, n int32) bool {
	t.Step(sim.Op{Verb: call, Obj: &r.obj, Foresee: addition{r, n, sim.Read}})
	t.Check(r.mem)
	switch {
	case r.n == 0:
		t.Did(sim.Read)
		return false
	case r.n < 0 || r.n+n < 0:
		r.saturate(t, "saturated; leaking memory")
	default:
		r.n += n
		t.Did(RefcountGet)
	}
	return true
}

// addition foresees what adding to the count will be.
type addition struct {
	r      *Refcount
	n      int32
	atZero sim.Class
}

func (a addition) ClassNow(*sim.Task) sim.Class {
	switch {
	case a.r.n == 0:
		return a.atZero
	case a.r.n < 0 || a.r.n+a.n < 0:
		return sim.Write
	}
	return RefcountGet
}

// saturate is refcount_warn_saturate.
func (r *Refcount) saturate(t *Task, why string) {
	r.n = RefcountSaturated
	r.warn(t, why)
}

func (r *Refcount) warn(t *Task, why string) {
	t.flagOnce(RefcountMisuse, "refcount_t: "+why, ": "+r.obj.Name)
}

// flagOnce is WARN_ONCE: only the first finding of the text counts, whatever it is about.
func (t *Task) flagOnce(kind sim.Kind, text, about string) {
	k := t.K
	if k.warned[text] {
		return
	}
	if k.warned == nil {
		k.warned = map[string]bool{}
	}
	k.warned[text] = true
	t.Flag(kind, t.circumstances(), "%s%s", text, about)
}

// Peek reads the count as an auditor does.
func (r *Refcount) Peek() int32 { return r.n }
