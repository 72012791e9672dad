package simtest

import "dmasim/sim"

// Var is a variable of a test that several tasks use. An access is part of the operation that
// was granted last, as with a plain variable, but is declared: so one schedule of every trace
// shows all that can be seen in it.
type Var[T any] struct {
	obj sim.Object
	v   T
}

// NewVar makes a variable.
func NewVar[T any](t interface {
	Own(o *sim.Object, typ, name string)
}, v T) *Var[T] {
	x := &Var[T]{v: v}
	t.Own(&x.obj, "variable", "")
	return x
}

type toucher interface {
	Touch(o *sim.Object, c sim.Class)
}

// Get reads the variable.
func (x *Var[T]) Get(t toucher) T {
	t.Touch(&x.obj, sim.Read)
	return x.v
}

// Set writes it.
func (x *Var[T]) Set(t toucher, v T) {
	t.Touch(&x.obj, sim.Write)
	x.v = v
}

// Peek reads it at the end.
func (x *Var[T]) Peek() T { return x.v }
