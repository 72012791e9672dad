package kernel

import "dmasim/sim"

// Shared is a field of a protocol's state that tasks access without a lock, as with
// READ_ONCE and WRITE_ONCE. Every access is a visible operation, and never part of a data
// race; but what they order of other accesses is what the kernel's memory model says, see
// Races.
type Shared[T any] struct {
	obj sim.Object
	mem *Mem
	v   T
}

// Init initialises the field, as part of in (nil: static storage).
func (s *Shared[T]) Init(t *Task, in *Mem, name string, v T) {
	t.own(&s.obj, in, "field", name)
	s.mem, s.v = in, v
}

// Load is READ_ONCE.
func (s *Shared[T]) Load(t *Task) T {
	t.Step(sim.Op{Verb: "load", Obj: &s.obj, Class: sim.Read})
	t.Check(s.mem)
	t.Observe(&s.obj)
	return s.v
}

// LoadAcquire is smp_load_acquire: what follows comes after what was done before the
// StoreRelease that it sees.
func (s *Shared[T]) LoadAcquire(t *Task) T {
	t.Step(sim.Op{Verb: "load_acquire", Obj: &s.obj, Class: sim.Read})
	t.Check(s.mem)
	t.Acquire(&s.obj)
	return s.v
}

// Store is WRITE_ONCE.
func (s *Shared[T]) Store(t *Task, v T) {
	t.Step(sim.Op{Verb: "store", Obj: &s.obj})
	t.Check(s.mem)
	t.Overwrite(&s.obj)
	s.v = v
}

// StoreRelease is smp_store_release: what was done before it comes before what is done after
// a LoadAcquire that sees it.
func (s *Shared[T]) StoreRelease(t *Task, v T) {
	t.Step(sim.Op{Verb: "store_release", Obj: &s.obj})
	t.Check(s.mem)
	t.Publish(&s.obj)
	s.v = v
}

// Update is an atomic read-modify-write that returns the new value, as atomic_inc_return: a
// full barrier.
func (s *Shared[T]) Update(t *Task, f func(T) T) T {
	t.Step(sim.Op{Verb: "rmw", Obj: &s.obj})
	t.Check(s.mem)
	t.FullyOrdered(&s.obj)
	s.v = f(s.v)
	return s.v
}

// Await waits until cond holds of the field: smp_cond_load_acquire. A wait_event orders no
// more than its condition does, since one that holds at once is not waited for.
func (s *Shared[T]) Await(t *Task, verb string, cond func(T) bool) {
	t.MightSleep(verb, s.obj.Name)
	t.Await(verb, &s.obj, sim.Read, func() bool { return cond(s.v) })
	t.Check(s.mem)
	t.Acquire(&s.obj)
}

// Peek reads the field as an auditor does, outside the run.
func (s *Shared[T]) Peek() T { return s.v }

// Field is a plain field of a protocol's state: every access is protected by a lock
// or ordered in another way. Accesses are not scheduling points; two of them that nothing
// orders are a data race, see Races.
type Field[T any] struct {
	mem   *Mem
	v     T
	plain plainAccesses
}

// Init initialises the field, as part of in (nil: static storage).
func (f *Field[T]) Init(t *Task, in *Mem, name string, v T) {
	f.mem, f.v = in, v
	f.plain.init(t, in, name)
}

// Get reads the field.
func (f *Field[T]) Get(t *Task) T {
	t.Check(f.mem)
	f.plain.read(t)
	return f.v
}

// Set writes the field.
func (f *Field[T]) Set(t *Task, v T) {
	t.Check(f.mem)
	f.plain.write(t, writeTo)
	f.v = v
}

// Racy is data_race() of a read: it may race with writes, and whoever reads bears any value.
func (f *Field[T]) Racy(t *Task) T {
	t.Check(f.mem)
	return f.v
}

// Peek reads the field as an auditor does, outside the run.
func (f *Field[T]) Peek() T { return f.v }
