package kernel

import "dmasim/sim"

// Kinds of failure that need a kernel to be understood.
const (
	// UseAfterFree: an object was used after it was freed.
	UseAfterFree sim.Kind = "use-after-free"
	// DoubleFree: an object was freed twice.
	DoubleFree sim.Kind = "double-free"
	// RefcountMisuse: a reference count was misused: taken from zero, or put below it.
	RefcountMisuse sim.Kind = "refcount"
	// Leak: at the end of the run something was not given back.
	Leak sim.Kind = "leak"
	// LockOrder: locks are taken in an order, or in contexts, that can end in a deadlock.
	LockOrder sim.Kind = "lock-order"
	// Context: something was done in a context that forbids it.
	Context sim.Kind = "context"
)
