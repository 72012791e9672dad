package kernel

import "dmasim/sim"

// Shared is a field of a protocol's state that tasks access without a lock, as with
// READ_ONCE and WRITE_ONCE. Every access is a visible operation.
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
	return s.v
}

// Store is WRITE_ONCE.
func (s *Shared[T]) Store(t *Task, v T) {
	t.Step(sim.Op{Verb: "store", Obj: &s.obj})
	t.Check(s.mem)
	s.v = v
}

// Update is an atomic read-modify-write; it returns the new value.
func (s *Shared[T]) Update(t *Task, f func(T) T) T {
	t.Step(sim.Op{Verb: "rmw", Obj: &s.obj})
	t.Check(s.mem)
	s.v = f(s.v)
	return s.v
}

// Await waits until cond holds of the field.
func (s *Shared[T]) Await(t *Task, verb string, cond func(T) bool) {
	t.MightSleep(verb, s.obj.Name)
	t.Await(verb, &s.obj, sim.Read, func() bool { return cond(s.v) })
	t.Check(s.mem)
}

// Peek reads the field as an auditor does, outside the run.
func (s *Shared[T]) Peek() T { return s.v }

// Field is a plain field of a protocol's state: every access is protected by a lock
// or ordered in another way. Accesses are not scheduling points.
type Field[T any] struct {
	mem *Mem
	v   T
}

// Init initialises the field, as part of in (nil: static storage).
func (f *Field[T]) Init(in *Mem, v T) { f.mem, f.v = in, v }

// Get reads the field.
func (f *Field[T]) Get(t *Task) T {
	t.Check(f.mem)
	return f.v
}

// Set writes the field.
func (f *Field[T]) Set(t *Task, v T) {
	t.Check(f.mem)
	f.v = v
}

// Peek reads the field as an auditor does, outside the run.
func (f *Field[T]) Peek() T { return f.v }
