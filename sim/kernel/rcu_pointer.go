package kernel

import "dmasim/sim"

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
	t.Publish(&r.obj)
	r.p = p
}

// InitPointer is RCU_INIT_POINTER: without an order, so only for nil, or for what readers
// could see already.
func (r *RCU[T]) InitPointer(t *Task, p *T) {
	t.Step(sim.Op{Verb: "RCU_INIT_POINTER", Obj: &r.obj})
	t.Check(r.mem)
	t.Overwrite(&r.obj)
	r.p = p
}

// Access is rcu_access_pointer: the value, to be compared and not to be followed. It needs
// no read section.
func (r *RCU[T]) Access(t *Task) *T { return r.load(t, "rcu_access_pointer") }

// Dereference is rcu_dereference: needs a read section (C-RCU-05).
func (r *RCU[T]) Dereference(t *Task) *T {
	if t.rcu == 0 {
		t.Fail(Context, "suspicious RCU usage: rcu_dereference(%s) outside a read section (%s)", r.obj.Name, t.Task)
	}
	p := r.load(t, "rcu_dereference")
	t.Acquire(&r.obj)
	return p
}

// DereferenceProtected is rcu_dereference_protected: held says whether the update
// side's lock is held.
func (r *RCU[T]) DereferenceProtected(t *Task, held bool) *T {
	if !held {
		t.Fail(Context, "suspicious RCU usage: rcu_dereference_protected(%s) without its lock (%s)", r.obj.Name, t.Task)
	}
	return r.load(t, "rcu_dereference")
}

func (r *RCU[T]) load(t *Task, verb string) *T {
	t.Step(sim.Op{Verb: verb, Obj: &r.obj, Class: sim.Read})
	t.Check(r.mem)
	t.Observe(&r.obj)
	return r.p
}

// Peek reads the pointer as an auditor does.
func (r *RCU[T]) Peek() *T { return r.p }
